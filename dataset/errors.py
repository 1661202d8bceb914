"""The one error a user sees when an input is wrong."""


class InputError(Exception):
    """Bad input, told in one line: where, the value found, the limit, and what to do about it.

    Raised by every room; the command line prints it without a traceback.
    Example: InputError("labels/000012.txt:3", "14 fields, 15 expected", "mend the line or pass --skip-bad")
    """

    def __init__(self, where: object, problem: str, remedy: str):
        self.where, self.problem, self.remedy = str(where), problem, remedy
        super().__init__(where, problem, remedy)  # plain args, so that it survives pickling between processes

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}. {self.remedy[:1].upper()}{self.remedy[1:]}."
