"""The `hosync` command: every command with its options; those about deliveries stand in ``deliveries.py``.

What they do stands in ``commands/`` and ``up/``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import deliveries
from cli.environment import REPOSITORY
from cli.errors import ExitCode
from cli.options import BUILD, BY_HAND, EPILOG, LOOK, ONE_MACHINE, HomeDir, Json, Lang, do, moment

if TYPE_CHECKING:
    from cli.output import Output

app = typer.Typer(
    name="hosync",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Đồng bộ trạng thái hồ sơ hành chính giữa các hệ thống. / Keeps the state of administrative dossiers the same "
    "everywhere a citizen may look them up.",
    epilog=EPILOG,
)


@app.command(rich_help_panel=ONE_MACHINE, epilog=EPILOG)
def up(
    lang: Lang,
    home: HomeDir,
    once: Annotated[
        bool, typer.Option("--once", help="End when all agree; exit code 1 when they don't. For CI and a first try.")
    ] = False,
    size: Annotated[int | None, typer.Option(min=1, help="Dossiers in the simulated province.")] = None,
    sandbox: Annotated[
        bool, typer.Option("--sandbox/--no-sandbox", help="Start the simulated province, or use real connections.")
    ] = True,
    dags: Annotated[Path, typer.Option(help="Folder of the DAG files.", hidden=True)] = REPOSITORY / "dags",
    deadline: Annotated[int, typer.Option(min=1, help="With --once: minutes until giving up.")] = 30,
) -> None:
    """Chạy toàn bộ hệ thống trên một máy. / Run everything on one machine: PostgreSQL, a simulated province, Airflow.

    Shows dossiers on their way from the sector systems to the targets until what the targets hold agrees with what the
    sources told; then prints the reconciliation and where to look. Ctrl-C stops everything that was started.
    """

    def work(output: Output) -> int:
        from cli.up import command
        from cli.up.machine import Options

        options = Options(home=home, dags=dags, once=once, sandbox=sandbox, size=size, deadline_s=deadline * 60.0)
        return command.run(output, options)

    do(lang, work)


@app.command(rich_help_panel=ONE_MACHINE, epilog=EPILOG)
def down(lang: Lang, home: HomeDir) -> None:
    """Dừng hệ thống do `hosync up` khởi động. / Stop what `hosync up` runs in this home, and what a crash left."""

    def work(output: Output) -> ExitCode:
        from cli.up import down as command

        return command.run(output, home)

    do(lang, work)


@app.command(rich_help_panel=LOOK, epilog=EPILOG)
def check(
    lang: Lang,
    system: Annotated[str | None, typer.Argument(help="One system; all when left out.")] = None,
    as_json: Json = False,
) -> None:
    """Kiểm tra cấu hình và kết nối. / Check configuration and connections before any DAG runs."""

    def work(output: Output) -> ExitCode:
        from cli.commands import check as command

        return command.run(output, system)

    do(lang, work, as_json=as_json)


@app.command(rich_help_panel=LOOK, epilog=EPILOG)
def preview(
    lang: Lang,
    system: Annotated[str, typer.Argument(help="The sector system.")],
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=200, help="How many records.")] = 3,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show personal data as it is.")] = False,
    as_json: Json = False,
) -> None:
    """Xem trước hồ sơ qua từng bước. / Show records as they come, as we understand them, as each target gets them."""

    def work(output: Output) -> ExitCode:
        from cli.commands import preview as command

        return command.run(output, system, count=count, reveal=reveal)

    do(lang, work, as_json=as_json)


@app.command(rich_help_panel=BUILD, epilog=EPILOG)
def new(
    lang: Lang,
    system: Annotated[str, typer.Argument(help="The new system's name: lower-case letters, digits and '_'.")],
    document: Annotated[
        Path, typer.Option("--from", help="An OpenAPI document, a WSDL, a sample answer (.json) or file (.csv).")
    ],
    operation: Annotated[
        str | None, typer.Option(help="Which operation lists the dossiers, where there are several.")
    ] = None,
    url_path: Annotated[str | None, typer.Option("--path", help="Where a sample answer came from: /api/ho-so.")] = None,
    title_vi: Annotated[str | None, typer.Option(help="What people call it, in Vietnamese.")] = None,
    title_en: Annotated[str | None, typer.Option(help="The same in English.")] = None,
    agency: Annotated[str | None, typer.Option(help="Code of the agency that runs it.")] = None,
    owner_vi: Annotated[str | None, typer.Option(help="That agency's name in Vietnamese.")] = None,
    owner_en: Annotated[str | None, typer.Option(help="The same in English.")] = None,
    procedure: Annotated[
        str | None, typer.Option(help="The procedure of all its dossiers, where the records do not tell.")
    ] = None,
    auth: Annotated[
        str | None,
        typer.Option(help="How to sign in: none, basic, bearer, oauth2:/token, api-key:X-Api-Key."),
    ] = None,
    state: Annotated[
        list[str] | None, typer.Option(help="CODE=N: the national state (1 to 10) of a code; may come many times.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Soạn nháp kết nối mới. / Draft a connector: catalog entry, mapping and contract that already pass the checks."""

    def work(output: Output) -> ExitCode:
        from cli.commands import new as command

        given = command.Given(
            document=document,
            operation=operation,
            url_path=url_path,
            title_vi=title_vi,
            title_en=title_en,
            agency=agency,
            owner_vi=owner_vi,
            owner_en=owner_en,
            procedure=procedure,
            auth=auth,
            states=dict(map(_state, state or [])),
        )
        return command.run(output, system, given)

    do(lang, work, as_json=as_json)


@app.command(rich_help_panel=BUILD, epilog=EPILOG)
def whatif(
    lang: Lang,
    system: Annotated[str, typer.Argument(help="The sector system whose mapping is to be changed.")],
    mapping: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="A changed copy of its mapping; without it, what the ledger holds counts."
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Look at so many different records, the newest first.")] = 10_000,
    since: Annotated[str | None, typer.Option(help="Only at what was fetched from this day or moment on.")] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show personal data as it is.")] = False,
    as_json: Json = False,
) -> None:
    """Thử ánh xạ mới trên dữ liệu đã lưu. / Run a changed mapping over archived pages: what would change?

    Stores and sends nothing, and asks no system. Exit code 1: records would newly be set aside, or could not be tried.
    """

    def work(output: Output) -> ExitCode:
        from cli.commands import whatif as command

        return command.run(output, system, mapping=mapping, limit=limit, since=moment(since, "--since"), reveal=reveal)

    do(lang, work, as_json=as_json)


@app.command(rich_help_panel=LOOK, epilog=EPILOG)
def connectors(lang: Lang, as_json: Json = False) -> None:
    """Danh mục hệ thống. / The catalog as a table: how each system is read, its state, last success and lag."""

    def work(output: Output) -> ExitCode:
        from cli.commands import connectors as command

        return command.run(output)

    do(lang, work, as_json=as_json)


@app.command(rich_help_panel=LOOK, epilog=EPILOG)
def status(lang: Lang, as_json: Json = False) -> None:
    """Tình hình hiện tại. / Where everything stands: pulls, deliveries, reconciliations."""

    def work(output: Output) -> ExitCode:
        from cli.commands import status as command

        return command.run(output)

    do(lang, work, as_json=as_json)


@app.command(rich_help_panel=LOOK, epilog=EPILOG)
def quality(
    lang: Lang,
    agency: Annotated[str | None, typer.Option(help="Only this agency and those below it: H12.12.")] = None,
    since: Annotated[str | None, typer.Option(help="Only dossiers that changed from this day or moment on.")] = None,
    show: Annotated[int, typer.Option(min=0, max=1000, help="Name so many dossiers for each rule.")] = 0,
    as_json: Json = False,
) -> None:
    """Cảnh báo chất lượng hồ sơ. / Dossiers that lack what the indicators of decision 766 need, per agency.

    They are pushed like all others; the portal then leaves them out of an indicator, or counts them against the agency.
    """

    def work(output: Output) -> ExitCode:
        from cli.commands import quality as command

        return command.run(output, agency=agency, since=moment(since, "--since"), show=show)

    do(lang, work, as_json=as_json)


@app.command(rich_help_panel=LOOK, epilog=EPILOG)
def pools(lang: Lang) -> None:
    """Các pool của Airflow. / The Airflow pools that the DAGs need, as JSON for `airflow pools import`."""

    def work(output: Output) -> ExitCode:
        from cli.commands import pools as command

        return command.run(output)

    do(lang, work)


@app.command(rich_help_panel=BY_HAND, epilog=EPILOG)
def pull(
    lang: Lang,
    systems: Annotated[list[str] | None, typer.Argument(help="Sector systems; all when left out.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Everything since the system's first day.")] = False,
    start: Annotated[str | None, typer.Option("--from", help="Received from this day or moment on.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Received before this day or moment.")] = None,
    as_json: Json = False,
) -> None:
    """Thu thập hồ sơ từ hệ thống nguồn. / Pull what is new (or a span of days) from the sector systems."""

    def work(output: Output) -> ExitCode:
        from cli.commands import pull as command

        return command.run(output, systems or [], full=full, start=moment(start, "--from"), end=moment(end, "--to"))

    do(lang, work, as_json=as_json)


@app.command(rich_help_panel=BY_HAND, epilog=EPILOG)
def follow(lang: Lang) -> None:
    """Theo dõi liên tục. / Look at the sources all the time and deliver what is new at once, until Ctrl-C.

    What the DAG follow_ledger does, without Airflow. It may run beside it.
    """

    def work(output: Output) -> ExitCode:
        from cli.commands import follow as command

        return command.run(output)

    do(lang, work)


@app.command(rich_help_panel=BY_HAND, epilog=EPILOG)
def inbound(
    lang: Lang,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen at; 0: any free one.")] = 8090,
) -> None:
    """Nhận cuộc gọi từ các hệ thống chủ động gửi. / Take the calls of systems that call us, without Airflow.

    The same endpoint stands in Airflow's API server. Alone it can run in a DMZ, behind a proxy that speaks TLS.
    """

    def work(output: Output) -> ExitCode:
        from cli.commands import inbound as command

        return command.run(output, host=host, port=port)

    do(lang, work)


@app.command(rich_help_panel=BY_HAND, epilog=EPILOG)
def feed(
    lang: Lang,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen at; 0: any free one.")] = 8091,
    new_key: Annotated[str | None, typer.Option(help="Make a key for this caller instead, and end.")] = None,
) -> None:
    """Trả lời tra cứu trạng thái hồ sơ. / Answer where a dossier stands, by its code, without Airflow.

    The same API stands in Airflow's API server. Callers and their keys are in the connection hosync_feed.
    """

    def work(output: Output) -> ExitCode:
        from cli.commands import feed as command

        return command.make_key(output, new_key) if new_key else command.run(output, host=host, port=port)

    do(lang, work)


@app.command(rich_help_panel=BY_HAND, epilog=EPILOG)
def redrive(
    lang: Lang,
    systems: Annotated[list[str] | None, typer.Argument(help="Sector systems; all when left out.")] = None,
    rule: Annotated[str | None, typer.Option(help="Only records set aside by this rule: unknown-code, …")] = None,
    as_json: Json = False,
) -> None:
    """Xử lý lại hồ sơ bị cách ly. / Map records that were set aside again, once the mapping is mended."""

    def work(output: Output) -> ExitCode:
        from cli.commands import redrive as command

        return command.run(output, systems or [], rule=rule)

    do(lang, work, as_json=as_json)


@app.command(rich_help_panel=BY_HAND, epilog=EPILOG)
def push(
    lang: Lang,
    targets: Annotated[list[str] | None, typer.Argument(help="Targets; all when left out.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many dossiers per target.")] = None,
    as_json: Json = False,
) -> None:
    """Gửi hồ sơ tới hệ thống đích. / Deliver what is due to the targets."""

    def work(output: Output) -> ExitCode:
        from cli.commands import push as command

        return command.run(output, targets or [], limit=limit)

    do(lang, work, as_json=as_json)


@app.command(rich_help_panel=BY_HAND, epilog=EPILOG)
def catalogues(
    lang: Lang,
    targets: Annotated[list[str] | None, typer.Argument(help="Targets; all that publish some when left out.")] = None,
    ask: Annotated[bool, typer.Option("--pull/--no-pull", help="Ask the targets first, or show what is known.")] = True,
    as_json: Json = False,
) -> None:
    """Danh mục của hệ thống đích. / Pull what the targets publish; list our codes that they do not."""

    def work(output: Output) -> ExitCode:
        from cli.commands import catalogues as command

        return command.run(output, targets or [], pull=ask)

    do(lang, work, as_json=as_json)


@app.command(rich_help_panel=BY_HAND, epilog=EPILOG)
def reconcile(
    lang: Lang,
    targets: Annotated[list[str] | None, typer.Argument(help="Targets; all when left out.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Ask for at most this many dossiers, where they are asked one by one.")
    ] = None,
    heal: Annotated[bool, typer.Option("--heal/--no-heal", help="Make what differs due again.")] = True,
    as_json: Json = False,
) -> None:
    """Đối soát với hệ thống đích. / Compare what the targets hold with what we hold."""

    def work(output: Output) -> ExitCode:
        from cli.commands import reconcile as command

        return command.run(output, targets or [], limit=limit, heal=heal)

    do(lang, work, as_json=as_json)


deliveries.register(app)


def _state(text: str) -> tuple[str, int]:
    from cli.errors import UserError

    code, _, meaning = text.rpartition("=")
    is_pair = bool(code) and meaning.isascii() and meaning.isdigit()
    if is_pair and 1 <= int(meaning) <= 10:
        return code, int(meaning)
    raise UserError(
        "--state CODE=N: N is 1 to 10." if is_pair else "--state is not CODE=N.",
        where="--state",
        next_step="Write the system's code and the national state: --state DANG_XU_LY=4",
        code=ExitCode.USAGE,
    )
