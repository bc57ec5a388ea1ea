"""People at their browsers, over real HTTP, without JavaScript."""

from __future__ import annotations

import csv
import io
import re
from types import TracebackType
from urllib.parse import unquote

import httpx

from tests import cast

LOGIN, KEY = "/accounts/login/", "/accounts/access-key/"


class Visitor:
    """Somebody with a browser that keeps cookies and follows redirects."""

    def __init__(self, address: str) -> None:
        self.http = httpx.Client(base_url=address, follow_redirects=True, timeout=30)

    def __enter__(self) -> Visitor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()

    def send(self, page: str, /, **fields: str) -> httpx.Response:
        """Open a page with a form and send the form."""
        self.http.get(page)
        token = self.http.cookies["csrftoken"]
        return self.http.post(
            page, data={**fields, "csrfmiddlewaretoken": token}, headers={"Referer": str(self.http.base_url)}
        )

    def sign_in(self, email: str) -> httpx.Response:
        """Sign in with the cast's password; gives the page that follows."""
        return self.send(LOGIN, login=email, password=cast.PASSWORD)

    def sign_in_by_key(self, access_key: str) -> httpx.Response:
        """Sign in with an access key; gives the page that follows."""
        return self.send(KEY, access_key=access_key)

    def deals_on_pages(self, slug: str, query: str = "") -> list[str]:
        """The CRM ids of all deals, read page by page through the links of the list."""
        found: list[str] = []
        address: str | None = f"/w/{slug}/deals/{query}"
        while address:
            page = self.http.get(address).raise_for_status().text
            table = page[page.index("<tbody") : page.index("</tbody>")] if "<tbody" in page else ""
            found += [unquote(one) for one in re.findall(rf'href="/w/{slug}/deals/([^"/?]+)/"', table)]
            following = re.search(r'<a[^>]*rel="next"[^>]*>', page)
            target = re.search(r'href="([^"]+)"', following[0]) if following else None
            address = target[1].replace("&amp;", "&") if target else None
        return found

    def deals_exported(self, slug: str, query: str = "") -> dict[str, dict[str, str]]:
        """The exported sheet's rows by CRM id."""
        sheet = self.http.get(f"/w/{slug}/deals/export/{query}").raise_for_status().text
        return {row["deal_id"]: row for row in csv.DictReader(io.StringIO(sheet.lstrip("\ufeff")))}
