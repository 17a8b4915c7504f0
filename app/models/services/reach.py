"""How the network is reached: the hub, and what is said to it. Secrets are in memory, unless the user asks for more."""

import os
from urllib.parse import quote

from app.base.addresses import origin_of
from app.base.settings import Settings
from app.models.downloads.messages import Access

HUB = "https://huggingface.co"
HUB_VARIABLE = "HF_ENDPOINT"  # as the hub's own programs call it


def hub(settings: Settings) -> str:
    return settings.hub_endpoint or os.environ.get(HUB_VARIABLE, "") or HUB


class Secrets:
    """A token goes to the machine that it is for and to no other, whatever the settings say later."""

    def __init__(self) -> None:
        self._token, self._origin, self._proxy_login = "", "", ""

    def set_token(self, token: str, place: str) -> None:
        """`place`: an address. Scheme and port count too."""
        self._token, self._origin = token.strip(), origin_of(place)

    def set_proxy_login(self, user: str, password: str) -> None:
        self._proxy_login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""

    def access(self, place: str, settings: Settings) -> Access:
        is_meant = self._origin and origin_of(place) == self._origin
        proxy = settings.proxy.replace("://", f"://{self._proxy_login}", 1)
        return Access(self._token if is_meant else "", proxy)
