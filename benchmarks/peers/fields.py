"""The fields of a deal that every contender reads: those that the product keeps."""

FIELDS = (
    "Id", "SystemModstamp", "OwnerId", "AccountId", "Name", "StageName", "Amount", "Probability", "CloseDate", "IsClosed",
    "IsWon", "Type", "LeadSource", "NextStep", "ForecastCategoryName", "CreatedDate", "LastStageChangeDate", "LastActivityDate",
)  # fmt: skip
DATES = ("CloseDate", "LastActivityDate")
INSTANTS = ("SystemModstamp", "CreatedDate", "LastStageChangeDate")
NUMBERS = ("Amount", "Probability")
FLAGS = ("IsClosed", "IsWon")
