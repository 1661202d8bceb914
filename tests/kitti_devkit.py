"""KITTI's evaluate_object.cpp told again in plain loops, one object and one threshold at a time: a peer for tests.

It shares no code with evaluation/: records are tuples, as the lines of the benchmark's own text files.
label: (type, truncated, occluded, (x1, y1, x2, y2)); detection: (type, (x1, y1, x2, y2), score).
"""

MIN_HEIGHT, MAX_OCCLUSION, MAX_TRUNCATION = (40, 25, 25), (0, 1, 2), (0.15, 0.3, 0.5)
MIN_OVERLAP = {"car": 0.7, "pedestrian": 0.5, "cyclist": 0.5}
NEIGHBOUR = {"car": "van", "pedestrian": "person_sitting"}


def overlap(a, b, of_first=False):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    inter = width * height
    first, second = (a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])
    return inter / first if of_first else inter / (first + second - inter)


def clean(category, labels, detections, difficulty):
    """-> what each label is (0 counts, 1 neutral, -1 not there), likewise each detection, and the DontCare boxes."""
    label_state = []
    for kind, truncated, occluded, box in labels:
        beyond = (
            occluded > MAX_OCCLUSION[difficulty]
            or truncated > MAX_TRUNCATION[difficulty]
            or box[3] - box[1] < MIN_HEIGHT[difficulty]
        )
        if kind.lower() == category:
            label_state.append(1 if beyond else 0)
        else:
            label_state.append(1 if kind.lower() == NEIGHBOUR.get(category) else -1)
    detection_state = []
    for kind, box, _ in detections:
        if int(abs(box[1] - box[3])) < MIN_HEIGHT[difficulty]:
            detection_state.append(1)
        else:
            detection_state.append(0 if kind.lower() == category else -1)
    return label_state, detection_state, [box for kind, _, _, box in labels if kind.lower() == "dontcare"]


def statistics(category, labels, detections, state, threshold=None):
    """-> true positives, false positives, misses, scores of the true positives. No threshold: the first pass."""
    label_state, detection_state, dont_care = state
    limit, counting = MIN_OVERLAP[category], threshold is not None
    assigned = [False] * len(detections)
    out = [counting and score < threshold for _, _, score in detections]
    true, missed, scores = 0, 0, []
    for label, its_state in zip(labels, label_state, strict=True):
        if its_state == -1:
            continue
        chosen, best_score, best_overlap, chose_neutral = None, -1e7, 0.0, False
        for j, (_, box, score) in enumerate(detections):
            if detection_state[j] == -1 or assigned[j] or out[j]:
                continue
            share = overlap(box, label[3])
            if share <= limit:
                continue
            if not counting:
                if score > best_score:
                    chosen, best_score = j, score
            elif detection_state[j] == 0 and (share > best_overlap or chose_neutral):
                chosen, best_overlap, chose_neutral = j, share, False
            elif detection_state[j] == 1 and chosen is None:
                chosen, chose_neutral = j, True
        if chosen is None:
            missed += its_state == 0
            continue
        assigned[chosen] = True
        if its_state == 0 and detection_state[chosen] == 0:
            true += 1
            scores.append(detections[chosen][2])
    false = 0
    for j, (_, box, _) in enumerate(detections):
        if not (assigned[j] or detection_state[j] != 0 or out[j]):
            false += not any(overlap(box, region, of_first=True) > limit for region in dont_care)
    return true, false, missed, scores


def thresholds_of(scores, objects):
    scores = sorted(scores, reverse=True)
    chosen, recall = [], 0.0
    for i, score in enumerate(scores):
        left = (i + 1) / objects
        right = (i + 2) / objects if i < len(scores) - 1 else left
        if right - recall < recall - left and i < len(scores) - 1:
            continue
        chosen.append(score)
        recall += 1 / 40.0
    return chosen


def precision_curve(category, frames, difficulty):
    """frames: [(labels, detections)]. -> objects to be found, and precision at the 41 recall positions."""
    states = [clean(category, labels, detections, difficulty) for labels, detections in frames]
    objects = sum(state[0].count(0) for state in states)
    scores = []
    for (labels, detections), state in zip(frames, states, strict=True):
        scores += statistics(category, labels, detections, state)[3]
    precision = [0.0] * 41
    thresholds = thresholds_of(scores, objects)
    for t, threshold in enumerate(thresholds):
        true = false = 0
        for (labels, detections), state in zip(frames, states, strict=True):
            found = statistics(category, labels, detections, state, threshold)
            true, false = true + found[0], false + found[1]
        precision[t] = true / (true + false) if true + false else 0.0
    for t in range(len(thresholds)):
        precision[t] = max(precision[t:])
    return objects, precision
