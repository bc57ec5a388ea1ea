"""Serving somebody's own CSV files."""

from pathlib import Path

import pytest

from .conftest import Client, Refusal, Server, Start

FILES = {
    "User.csv": "Id,Email,LastName,IsActive,ManagerId\n005A00000000001,a@x.example,A,TRUE,\n005A00000000002,b@x.example,B,false,005A00000000001\n",
    "Opportunity.csv": (
        "id,Name,StageName,Amount,CloseDate,OwnerId,SystemModstamp,Region__c\n"
        "006A00000000001,Good,Discovery,1000,2026-02-03,005A00000000001,2026-01-02T03:04:05+01:00,North\n"
        '006A00000000002,"Bad ""one"", two\nlines",Nowhere,12k,31/02/2026,005Z,soon,\n'
    ),
    "account.csv": "Id,AnnualRevenue,NumberOfEmployees\n001A00000000001,nan,1_000\n",
    "Invoice__c.csv": "Id,Total__c\na00A00000000001,7\n",
}


def directory_of(tmp_path: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture(scope="module")
def own_server(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Server:
    return start("--data", directory_of(tmp_path_factory.mktemp("data"), FILES))


@pytest.fixture
def own(own_server: Server) -> Client:
    return own_server.client()


class TestServingFiles:
    def test_values_come_as_given_even_bad_ones(self, own: Client) -> None:
        bad = own.records(
            "SELECT Name, Amount, CloseDate, OwnerId, SystemModstamp, Region__c FROM Opportunity WHERE Name LIKE 'Bad%'"
        )
        assert bad == [{
            "Name": 'Bad "one", two\nlines', "Amount": "12k", "CloseDate": "31/02/2026", "OwnerId": "005Z",
            "SystemModstamp": "soon", "Region__c": None,
        }]  # fmt: skip
        text = own.results(own.finished_job("SELECT Id, Name, Amount FROM Opportunity")).text
        assert '"006A00000000002","Bad ""one"", two\nlines","12k"\n' in text

    def test_what_files_leave_out_has_a_default(self, own: Client) -> None:
        good = own.records(
            "SELECT Amount, IsDeleted, CreatedDate, LastModifiedDate FROM Opportunity WHERE Name = 'Good'"
        )[0]
        assert (good["Amount"], good["IsDeleted"]) == (1000.0, False)
        assert good["CreatedDate"] == good["LastModifiedDate"]
        assert good["CreatedDate"].endswith("+0000")

    def test_well_formed_moments_and_booleans_are_spelt_as_the_protocol_spells_them(
        self, own: Client
    ) -> None:
        assert own.values("SELECT SystemModstamp FROM Opportunity WHERE Name = 'Good'") == [
            "2026-01-02T02:04:05.000+0000"
        ]
        assert own.values("SELECT IsActive FROM User ORDER BY Email") == [True, False]

    def test_numbers_that_only_look_like_some_stay_text(self, own: Client) -> None:
        read = "SELECT AnnualRevenue, NumberOfEmployees FROM Account"
        assert own.records(read) == [{"AnnualRevenue": "nan", "NumberOfEmployees": "1_000"}]

    def test_custom_columns_and_objects_are_there_and_described(self, own: Client) -> None:
        fields = {
            field["name"]: field for field in own.get("/sobjects/Opportunity/describe").json()["fields"]
        }
        assert (fields["Region__c"]["custom"], fields["Region__c"]["type"]) == (True, "string")
        assert own.values("SELECT Id FROM Opportunity WHERE Region__c = 'North'") == ["006A00000000001"]
        assert own.values("SELECT Total__c FROM Invoice__c") == ["7"]

    def test_objects_without_a_file_are_empty(self, own: Client) -> None:
        assert own.count("Task") == 0
        assert own.results(own.finished_job("SELECT Id FROM Event")).text == '"Id"\n'

    def test_records_can_be_changed_to_anything(self, own: Client) -> None:
        own.control(
            "update",
            object="Opportunity",
            id="006A00000000001",
            fields={"Amount": "many", "Region__c": "East"},
        )
        assert own.records("SELECT Amount, Region__c FROM Opportunity WHERE Name = 'Good'") == [
            {"Amount": "many", "Region__c": "East"}
        ]


class TestDrift:
    def test_columns_of_a_file_drift_as_custom_fields_do(self, start: Start, tmp_path: Path) -> None:
        crm = start("--data", directory_of(tmp_path, FILES)).client()
        crm.control("schema", object="Opportunity", rename={"field": "Region__c", "to": "Land__c"})
        assert crm.values("SELECT Land__c FROM Opportunity WHERE Name = 'Good'") == ["North"]
        crm.control("schema", object="Invoice__c", retype={"field": "Total__c", "type": "currency"})
        assert crm.values("SELECT Total__c FROM Invoice__c") == [7.0]

    def test_stages_are_the_usual_ones_where_no_file_names_them(self, start: Start, tmp_path: Path) -> None:
        crm = start("--data", directory_of(tmp_path, FILES)).client()
        crm.control("update", object="Opportunity", id="006A00000000001", fields={"StageName": "Closed Won"})
        assert crm.values("SELECT IsWon FROM Opportunity WHERE Id = '006A00000000001'") == [True]
        fields = {
            field["name"]: field for field in crm.get("/sobjects/Opportunity/describe").json()["fields"]
        }
        assert len(fields["StageName"]["picklistValues"]) == 7

    def test_the_character_nul_survives(self, start: Start, tmp_path: Path) -> None:
        files = {**FILES, "Account.csv": "Id,Name\n001A00000000001,a\0b\n"}
        del files["account.csv"]
        crm = start("--data", directory_of(tmp_path, files)).client()
        assert crm.results(crm.finished_job("SELECT Name FROM Account")).text == '"Name"\n"a\0b"\n'


class TestFilesThatCannotBeServed:
    @pytest.mark.parametrize(
        ("files", "words"),
        [
            ({}, "holds no .csv file"),
            ({"User.csv": "Email\na@x\n"}, "the header has no Id"),
            ({"User.csv": "Id,E mail\n1,a\n"}, "'E mail', which is no Salesforce field name"),
            ({"User.csv": "Id,Email,EMAIL\n1,a,b\n"}, "Email more than once"),
            ({"User.csv": "Id,Email\n1\n"}, "record 2 has 1 values where the header has 2"),
            ({"User.csv": 'Id,Email\n1,"a\n'}, "is not CSV in UTF-8"),
            ({"my users.csv": "Id\n1\n"}, "is not named after an object"),
            ({"Account.csv": "Id,BillingAddress\n1,x\n"}, "BillingAddress is a compound field"),
        ],
    )
    def test_one_line_says_what_is_wrong(
        self, refusal: Refusal, tmp_path: Path, files: dict[str, str], words: str
    ) -> None:
        assert words in refusal("--data", directory_of(tmp_path, files))

    def test_a_missing_directory_is_named(self, refusal: Refusal, tmp_path: Path) -> None:
        assert "no such directory" in refusal("--data", tmp_path / "nowhere")
