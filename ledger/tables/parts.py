"""What the tables are made of."""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, DateTime, MetaData, Text, text
from sqlalchemy.sql.schema import SchemaItem

metadata = MetaData()

NOW = text("now()")
ZERO = text("0")
EQUATION = "fetched = new_ + changed + unchanged + stale + quarantined"


def moment(name: str, *, optional: bool = True, default_now: bool = False) -> Column[object]:
    """A point in time, with its zone."""
    return Column(name, DateTime(timezone=True), nullable=optional, server_default=NOW if default_now else None)


def words(name: str, *, optional: bool = False) -> Column[str]:
    """A text."""
    return Column(name, Text, nullable=optional)


def count(name: str) -> Column[int]:
    """A number of things, none at first."""
    return Column(name, BigInteger, nullable=False, server_default=ZERO)


def one_of(column: str, *values: str) -> CheckConstraint:
    """The only values of a column."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_is_known")


def equation() -> list[SchemaItem]:
    """The numbers of a page or a run, and that they add up."""
    counters = [count(name) for name in ("fetched", "new_", "changed", "unchanged", "stale", "quarantined")]
    return [*counters, CheckConstraint(EQUATION, name="nothing_is_lost")]


def only_row() -> Column[bool]:
    """The key of a table with one row."""
    rule = CheckConstraint("only_row", name="one_row")
    return Column("only_row", Boolean, rule, primary_key=True, server_default=text("true"))
