"""`ssl-bench doctor`: is this machine ready?"""

import click

from ssl_motion.cli.common_options import json_option, runs_option


@click.command("doctor", short_help="Check this machine.")
@runs_option
@json_option("the findings")
def command(runs_folder: str | None, as_json: bool) -> None:
    """Report versions, operators, GPU, data folders and disk; each problem with the one command that mends it.

    Exit code 1 when there is a problem.
    """
    from ssl_motion.doctor import examine
    from ssl_motion.errors import RunError
    from ssl_motion.paths import runs_root

    findings = examine(runs_root(runs_folder))
    if as_json:
        import dataclasses
        import json

        click.echo(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            click.echo(f"{finding.status:8}{finding.topic:16}{finding.message}")
            if finding.cure:
                click.echo(f"{'':24}mend it with:  {finding.cure}")
    problems = [finding.topic for finding in findings if finding.status == "problem"]
    if problems:
        raise RunError(f"{len(problems)} problem(s): {', '.join(problems)}")
