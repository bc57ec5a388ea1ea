"""Which pages somebody can open: the program's whole route table, asked with that person's cookies."""

from __future__ import annotations

import httpx

from tests import cast
from tests.browser.scene import Scene, owner_id_of
from tests.test_permission_table import NOBODY, SAMPLES, routes
from tests.unencrypted import UNENCRYPTED

# Not pages of ours: Django admin has a look of its own, and signing out ends the visit.
LEFT_OUT = ("account_logout",)


def samples(scene: Scene) -> dict[str, str]:
    """Real ids of Acme for the routes that name one thing."""
    return {
        "alerts:detail": str(scene.alert.id),
        "alerts:rule": str(scene.alert.rule_id),
        "operations:item": str(scene.item.id),
        "people:person": str(scene.member.id),
        "access:below": str(cast.member_of("head").id),
        "access:change": str(scene.member.id),
        "people:standing": str(scene.standing.id),
        "reviews:review": str(scene.review.id),
        "reviews:export_csv": str(scene.review.id),
        "reviews:export_json": str(scene.review.id),
        "platform:member": str(scene.member.id),
        "crm_sync:run": str(scene.run.id),
        "crm_sync:rejected": str(scene.run.id),
    }


def addresses(scene: Scene, workspace: str) -> dict[str, str]:
    """Every address that is no machine's, by route name, in that workspace."""
    ids, owner = samples(scene), owner_id_of("rep")
    return {
        route.name: route.address.replace(cast.ACME, workspace)
        .replace(
            SAMPLES["external_id"],
            owner
            if route.name.startswith("access:owner")
            else scene.account
            if "account" in route.name
            else scene.deal,
        )
        .replace(f"/roles/{SAMPLES['role']}/", f"/roles/{scene.role}/")
        .replace(str(NOBODY), ids.get(route.name, str(NOBODY)))
        for route in routes()
        if not route.is_api and route.name not in LEFT_OUT
    }


def pages(
    web: str, known: dict[str, str], cookies: dict[str, str], *, but_not_of_anybody: bool = False
) -> dict[str, str]:
    """Those of the ``known`` addresses that answer this person with a page, not with a redirect or a download.

    ``but_not_of_anybody`` leaves out what the signed-out can open too.
    """
    of_anybody = pages(web, known, {}) if but_not_of_anybody else {}
    with httpx.Client(base_url=web, cookies=cookies, timeout=30, verify=UNENCRYPTED) as http:
        answers = {name: http.get(address) for name, address in known.items() if name not in of_anybody}
    return {name: known[name] for name, answer in answers.items() if _is_page(answer)}


def _is_page(answer: httpx.Response) -> bool:
    is_page = answer.headers.get("content-type", "").startswith("text/html")
    return answer.is_success and is_page and "attachment" not in answer.headers.get("content-disposition", "")
