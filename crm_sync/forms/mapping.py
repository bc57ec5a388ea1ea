"""What people fill in about a field mapping. Its rows come from the CRM, so the page is no Django form; an import is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from crm_sync.connectors.base import ObjectSpec
from crm_sync.mapping.document import LONGEST_TEXT, slots_of
from crm_sync.mapping.fitting import Fault
from crm_sync.shown.mapping import Typed

_LONGEST_NAME = 200


class MappingForm:
    """The fields of one object as they were typed: ``field.<our field>``, and rows of ``custom_key`` and ``custom_field``.

    A row whose place is among ``remove``, or that is empty, is left out.
    """

    def __init__(self, data: QueryDict, spec: ObjectSpec) -> None:
        self._ours = slots_of(spec)
        self.base_version = _number(data.get("base_version", ""))
        ours = {key: _name(data.get(f"field.{key}", slot.default)) for key, slot in self._ours.items()}
        removed = set(data.getlist("remove"))
        pairs = zip(data.getlist("custom_key"), data.getlist("custom_field"), strict=False)
        rows = [
            (_name(key), _name(field))
            for place, (key, field) in enumerate(pairs)
            if str(place) not in removed
        ]
        self._custom = [row for row in rows if any(row)]
        self.fields = {**ours, **dict(self._custom)}
        self.errors = self._row_errors()

    def _row_errors(self) -> dict[str, str]:
        """What a document cannot even hold: the same name twice, a name of ours, or none."""
        found = {}
        keys = [key for key, _ in self._custom]
        for place, (key, field) in enumerate(self._custom):
            if not key:
                found[f"#{place}"] = f"Name the custom field that {field} is kept as, such as sales_region."
            elif key in self._ours:
                found[f"#{place}"] = (
                    f"{key} is one of our own fields: choose its CRM field above, or another name here."
                )
            elif key in keys[:place]:
                found[f"#{place}"] = f"There is a custom field {key} above; choose another name."
        return found

    @property
    def typed(self) -> Typed:
        """The form as the page shows it again."""
        return Typed(self.fields, self._custom, self.errors)

    def refused(self, faults: Iterable[Fault]) -> Typed:
        """The same with what the service said."""
        return Typed(self.fields, self._custom, {fault.key: fault.problem for fault in faults})


def _name(text: str) -> str:
    return text.strip()[:_LONGEST_NAME]


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None


class MappingImportForm(forms.Form):
    """A mapping as JSON, pasted or as a file."""

    document = forms.CharField(
        label="Mapping", required=False, strip=True, max_length=LONGEST_TEXT,
        widget=forms.Textarea(attrs={"rows": 14, "spellcheck": "false"}),
        help_text="Such as {“Opportunity”: {“amount”: “Amount”, “sales_region”: “Region__c”}}, with straight quotation marks.",
    )  # fmt: skip
    file = forms.FileField(label="Or a file", required=False, help_text="As it was exported, at most 512 kB.")

    def __init__(self, data: QueryDict | None, files: MultiValueDict[str, UploadedFile[Any]] | None) -> None:
        super().__init__(data, files)
        self.text = ""

    def clean(self) -> dict[str, object]:
        """One of the two, as text."""
        given = self.cleaned_data
        file: UploadedFile[Any] | None = given.get("file")
        self.text = given.get("document") or (self._read(file) if file else "")
        if not self.text and not self.errors:
            self.add_error("document", "Paste a mapping, or choose a file.")
        return given

    def _read(self, file: UploadedFile[Any]) -> str:
        if (file.size or 0) > LONGEST_TEXT:
            self.add_error("file", "The file is longer than 512 kB. Choose the file that was exported here.")
            return ""
        try:
            content: bytes = file.read()
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            self.add_error("file", "The file is not text in UTF-8. Choose the file that was exported here.")
            return ""

    def tell(self, problems: Sequence[str]) -> None:
        """Show what a service refused, next to the field that it came from."""
        name = (
            "file" if self.cleaned_data.get("file") and not self.cleaned_data.get("document") else "document"
        )
        for problem in problems:
            self.add_error(name, problem)
