"""Install what the browser lane needs, where that is allowed: Chromium and a Japanese font, as Debian packages."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

logger = logging.getLogger("prepare")
PACKAGES = ("chromium", "fonts-noto-cjk")
FONT = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")


def main() -> int:
    """Install what is missing; 1 when the browser lane is required and cannot run."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if not (shutil.which("chromium") and FONT.exists()) and _may_install():
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES]
        subprocess.run(install, check=False, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})
    if shutil.which("chromium"):
        return 0
    logger.warning("Chromium is not here and cannot be installed: the browser tests will be skipped.")
    return 1 if os.environ.get("LAB_REQUIRE_BROWSER") else 0


def _may_install() -> bool:
    return sys.platform == "linux" and shutil.which("apt-get") is not None and os.geteuid() == 0


if __name__ == "__main__":
    sys.exit(main())
