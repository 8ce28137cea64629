"""Settings of Walker in CMP's reading: those of CMP's network, since there is no guidance to be set."""

from ssl_motion_methods.cmp import CMPConfig, CMPNetworkConfig


class WalkerConfig(CMPNetworkConfig):
    """Settings of CMP without guidance; see `CMPNetworkConfig` for each."""

    def as_cmp(self) -> CMPConfig:
        """Say the same as settings of CMP: no strategy gives a guidance point."""
        return CMPConfig.model_validate({**self.model_dump(), "guidance": {"strategies": []}})
