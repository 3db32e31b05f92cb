"""All sections and keys of the settings, as the records have them."""

from collections.abc import Iterator

from msgspec.inspect import FloatType, IntType, StructType, UnionType, type_info

from edge.config.settings import Settings


def sections() -> Iterator[tuple[str, StructType]]:
    """Return every section with its annotation, also those that may be missing."""
    settings = type_info(Settings)
    assert isinstance(settings, StructType)
    for field in settings.fields:
        for kind in field.type.types if isinstance(field.type, UnionType) else (field.type,):
            if isinstance(kind, StructType):
                yield field.name, kind


def numeric_keys() -> Iterator[tuple[str, str, IntType | FloatType]]:
    """Return every key that takes a number: its section, its name, its annotation."""
    for section, record in sections():
        for field in record.fields:
            for kind in field.type.types if isinstance(field.type, UnionType) else (field.type,):
                if isinstance(kind, IntType | FloatType):
                    yield section, field.name, kind


def both_ends(kind: IntType | FloatType) -> str:
    assert kind.ge is not None
    return f"{kind.ge:.15g} to {kind.le:.15g}" if kind.le is not None else f"{kind.ge:.15g} to under {kind.lt:.15g}"
