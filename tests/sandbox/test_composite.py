"""Several calls in one."""

from .conftest import API, Client


class TestBatch:
    def test_calls_are_answered_each_for_itself(self, scratch: Client) -> None:
        account = scratch.values("SELECT Id FROM Account LIMIT 1")[0]
        calls = [
            {"method": "GET", "url": "v61.0/sobjects/Account/describe"},
            {"method": "GET", "url": "v61.0/query?q=SELECT+Id+FROM+Account+LIMIT+1"},
            {
                "method": "PATCH",
                "url": f"v61.0/sobjects/Account/{account}",
                "richInput": {"Name": "By batch"},
            },
            {"method": "GET", "url": "v61.0/sobjects/Nothing/describe"},
        ]
        answer = scratch.http.post(f"{API}/composite/batch", json={"batchRequests": calls}).json()
        assert answer["hasErrors"] is True
        assert [each["statusCode"] for each in answer["results"]] == [200, 200, 204, 404]
        assert answer["results"][0]["result"]["name"] == "Account"
        assert answer["results"][1]["result"]["totalSize"] == 1
        assert scratch.values(f"SELECT Name FROM Account WHERE Id = '{account}'") == ["By batch"]

    def test_a_batch_is_one_call_of_the_daily_limit(self, scratch: Client) -> None:
        scratch.control("limits", used=10)
        calls = [{"method": "GET", "url": "v61.0/limits"}] * 5
        answer = scratch.http.post(f"{API}/composite/batch", json={"batchRequests": calls})
        assert answer.headers["Sforce-Limit-Info"] == "api-usage=11/100000"
        assert [each["statusCode"] for each in answer.json()["results"]] == [200] * 5

    def test_it_may_halt_at_the_first_error(self, crm: Client) -> None:
        calls = [{"method": "GET", "url": f"v61.0/{path}"} for path in ("nope", "limits")]
        body = {"batchRequests": calls, "haltOnError": True}
        results = crm.http.post(f"{API}/composite/batch", json=body).json()["results"]
        assert [each["statusCode"] for each in results] == [404, 412]

    def test_more_than_25_are_refused(self, crm: Client) -> None:
        calls = [{"method": "GET", "url": "v61.0/limits"}] * 26
        assert crm.http.post(f"{API}/composite/batch", json={"batchRequests": calls}).status_code == 400


class TestRecordsByIds:
    def test_they_come_in_the_order_asked_with_null_for_what_is_not_there(self, crm: Client) -> None:
        one, other = crm.values("SELECT Id FROM Opportunity LIMIT 2")
        body = {"ids": [other[:15], "006000000000000AAA", one], "fields": ["Id", "Name"]}
        records = crm.http.post(f"{API}/composite/sobjects/Opportunity", json=body).json()
        assert [record and record["Id"] for record in records] == [other, None, one]
        asked = crm.get("/composite/sobjects/Opportunity", ids=f"{one},{other}", fields="Name").json()
        assert [record["Name"] for record in asked] == [records[2]["Name"], records[0]["Name"]]

    def test_2000_at_once_and_no_more(self, crm: Client) -> None:
        ids = crm.values("SELECT Id FROM Opportunity LIMIT 2000")
        answer = crm.http.post(
            f"{API}/composite/sobjects/Opportunity", json={"ids": ids, "fields": ["Amount"]}
        )
        assert len(answer.json()) == 2000
        answer = crm.http.post(
            f"{API}/composite/sobjects/Opportunity", json={"ids": [*ids, ids[0]], "fields": ["Id"]}
        )
        assert answer.status_code == 400

    def test_an_unknown_field_is_refused(self, crm: Client) -> None:
        answer = crm.http.post(f"{API}/composite/sobjects/Account", json={"ids": ["001"], "fields": ["Nope"]})
        assert answer.json()[0]["errorCode"] == "INVALID_FIELD"
