"""The exception of malloc_tracer."""


class MallocTracerError(Exception):
    """Base of the errors that are malloc_tracer's own; wrong arguments are `TypeError` and `ValueError`.

    What a traced function raises is never wrapped in it.

    Example:
        >>> scope = malloc_tracer.Scope("load")
        >>> with scope: pass
        >>> with scope: pass
        Traceback (most recent call last):
        malloc_tracer.MallocTracerError: scope 'load' was used before: make a new Scope for every with block
    """
