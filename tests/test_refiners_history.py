"""The buffer of refined images: it grows, it is drawn from by halves, and it forgets at random."""

import pytest
import torch

from dataset.errors import InputError
from models.refiners.history import History


def batch_of(value: int, images: int) -> torch.Tensor:
    """Images that are told apart by their one grey value, 0-255."""
    return torch.full((images, 3, 2, 2), value / 127.5 - 1)


def values(images: torch.Tensor) -> list[int]:
    return ((images[:, 0, 0, 0] + 1) * 127.5).round().int().tolist()


def test_the_buffer_grows_by_half_a_batch_until_it_is_full():
    history = History(capacity=10)
    sizes = []
    for step in range(7):
        history.mix(batch_of(step, 4))
        sizes.append(len(history))
    assert sizes == [2, 4, 6, 8, 10, 10, 10]


def test_half_of_a_batch_comes_from_the_buffer_once_it_holds_as_many():
    history = History(capacity=10)
    assert values(history.mix(batch_of(1, 6))) == [1] * 6  # nothing to draw from yet
    assert values(history.mix(batch_of(2, 6))) == [2, 2, 2, 1, 1, 1]
    mixed = values(history.mix(batch_of(3, 6)))
    assert mixed[:3] == [3, 3, 3]
    assert set(mixed[3:]) <= {1, 2}


def test_a_full_buffer_exchanges_half_a_batch_for_new_images():
    history = History(capacity=10)
    for _ in range(5):
        history.mix(batch_of(1, 4))
    history.mix(batch_of(2, 4))
    kept = values(history.state()["images"].float() / 127.5 - 1)
    assert sorted(kept) == [1] * 8 + [2] * 2


def test_old_images_fade_from_a_full_buffer_as_chance_has_it():
    torch.manual_seed(0)
    history = History(capacity=100)
    for _ in range(10):
        history.mix(batch_of(0, 20))
    for _ in range(10):  # each replaces 10 of 100: 0.9^10 = 35% of the old ones stay
        history.mix(batch_of(200, 20))
    share = values(history.state()["images"].float() / 127.5 - 1).count(0) / 100
    assert 0.2 < share < 0.5


def test_a_batch_of_one_is_kept_too():
    history = History(capacity=3)
    assert values(history.mix(batch_of(1, 1))) == [1]
    assert len(history) == 1


def test_the_history_goes_on_from_its_state_as_if_never_stopped():
    whole = History(capacity=6)
    for step in range(4):
        whole.mix(batch_of(step, 4))
    resumed = History(capacity=6)
    resumed.load(whole.state())
    torch.manual_seed(1)
    expected = values(whole.mix(batch_of(9, 4)))
    torch.manual_seed(1)
    assert values(resumed.mix(batch_of(9, 4))) == expected
    assert torch.equal(whole.state()["images"], resumed.state()["images"])


def test_an_image_comes_back_to_within_the_rounding_of_eight_bits():
    history = History(capacity=2)
    image = torch.rand(2, 3, 5, 7) * 2 - 1
    history.mix(image)
    history.mix(image)
    drawn = history.mix(image)[1]
    assert min((drawn - original).abs().max() for original in image) <= 1 / 255


def test_a_larger_saved_buffer_is_refused():
    large = History(capacity=8)
    for _ in range(3):
        large.mix(batch_of(1, 4))
    with pytest.raises(InputError, match="6 saved images for 4 places"):
        History(capacity=4).load(large.state())
