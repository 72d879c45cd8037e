"""What the settings say of the sources: the same for the server and for whoever explains it."""

from __future__ import annotations

from pathlib import Path

from authenticator.mapping.guards import Guard
from authenticator.modes import MODES
from authenticator.settings import Settings
from authenticator.sources.mappings import SourceOptions


def source_options(settings: Settings, config: Path | None) -> SourceOptions:
    """The sources that a server with these settings has.

    Args:
        settings: what the server was told.
        config: its config file, whose mappings the source MountedFile follows.
    """

    def path(text: str) -> Path | None:
        return Path(text) if text else None

    return SourceOptions(
        modes=settings.backend_mode,
        state_dir=settings.state_dir,
        config=config,
        modes_file=path(settings.dynamic_backend_mode_path),
        dynamic_file=path(settings.dynamic_file_path),
        user_id_strict=settings.dynamic_file_user_id_strict,
        kubeconfig=path(settings.kubeconfig),
        master=settings.master,
        break_glass=path(settings.break_glass_path),
        administrators=settings.bootstrap_administrators,
        guards={mode: _guard(mode, settings) for mode in MODES.values()},
    )


def _guard(mode: str, settings: Settings) -> Guard:
    reserved = [entry for entry in settings.reserved_prefixes if entry.backendmode == mode]
    return Guard(
        tuple(prefix for entry in reserved for prefix in entry.usernameprefixreservelist),
        tuple(prefix for entry in reserved for prefix in entry.groupprefixreservelist),
        system_names=mode in settings.system_name_sources,
    )
