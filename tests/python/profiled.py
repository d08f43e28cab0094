"""What is profiled from its import on: not imported before it is needed, since its scopes stay open."""

import functools

import malloc_tracer


@malloc_tracer.profile
def function(size, held=None):
    """Docstring."""
    data = bytearray(size)
    if held is not None:
        held.append(data)
    return len(data)


class Klass:
    @malloc_tracer.profile
    def method(self):
        return bytearray(8000)  # live bytearray(8000)

    @malloc_tracer.profile
    def with_super(self):
        return super().__repr__()

    @staticmethod
    @malloc_tracer.profile
    def below_static():
        return bytearray(8000)  # live bytearray(8000)

    @malloc_tracer.profile
    @staticmethod
    def above_static():
        return bytearray(8000)  # live bytearray(8000)

    @classmethod
    @malloc_tracer.profile
    def below_class(cls):
        assert cls is Klass
        return bytearray(8000)  # live bytearray(8000)

    @malloc_tracer.profile
    @classmethod
    def above_class(cls):
        assert cls is Klass
        return bytearray(8000)  # live bytearray(8000)

    @property
    @malloc_tracer.profile
    def below_property(self):
        return bytearray(8000)  # live bytearray(8000)

    @malloc_tracer.profile
    @property
    def above_property(self):
        """Docstring."""
        return bytearray(8000)  # live bytearray(8000)

    @malloc_tracer.profile
    @functools.cached_property
    def above_cached(self):
        return bytearray(8000)  # live bytearray(8000)
