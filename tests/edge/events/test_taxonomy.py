"""What labels stand for comes from a small CSV, read strictly."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bundle.store import Bundle
from edge.errors import DataError, MissingInputError
from edge.events.taxonomy import MAX_BYTES, MAX_ROWS, Taxon, load_taxonomy, read_file, read_taxonomy

HEADER = "label,scientific_name,kind"
TEXT = f"""{HEADER},taxon_rank,eng,fra
jay,Garrulus glandarius,animal,species,Eurasian jay,geai des chênes
"fox, red",Vulpes vulpes,animal,species,"red fox",

nothing,,blank,,,
bolt,,object,,,boulon
"""


def refusal(text: str | bytes) -> str:
    with pytest.raises(DataError) as caught:
        read_taxonomy(text if isinstance(text, bytes) else text.encode(), "t.csv")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
    return str(caught.value)


class TestReading:
    def test_a_line_for_each_label(self) -> None:
        taxonomy = read_taxonomy(TEXT.encode(), "t.csv")
        assert [taxon.label for taxon in taxonomy.taxa] == ["jay", "fox, red", "nothing", "bolt"]
        assert taxonomy.of("jay") == Taxon(
            label="jay",
            kind="animal",
            scientific_name="Garrulus glandarius",
            taxon_rank="species",
            common_names={"eng": "Eurasian jay", "fra": "geai des chênes"},
        )
        assert taxonomy.of("nothing") == Taxon(label="nothing", kind="blank")
        assert taxonomy.of("owl") is None

    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    @pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
    def test_as_spreadsheets_write_it(self, delimiter: str, end: str, mark: bytes) -> None:
        rows = [HEADER.split(","), ["jay", "Garrulus glandarius", "animal"], ["nothing", "", "blank"]]
        out = io.StringIO(newline="")
        csv.writer(out, delimiter=delimiter, lineterminator=end).writerows(rows)
        taxonomy = read_taxonomy(mark + out.getvalue().encode(), "t.csv")
        assert [taxon.kind for taxon in taxonomy.taxa] == ["animal", "blank"]

    def test_columns_may_be_in_any_order(self) -> None:
        taxonomy = read_taxonomy(b"kind,eng,label,scientific_name\nanimal,jay,j,G\n", "t.csv")
        assert taxonomy.of("j") == Taxon(label="j", kind="animal", scientific_name="G", common_names={"eng": "jay"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: no column 'label': begin with a line such as label,scientific_name,kind,eng"),
        ("label,kind\n", "line 1: no column 'scientific_name'"),
        (f"{HEADER},en\n", "line 1: column 'en': must be taxon_rank, or a language as three letters of ISO 639-3"),
        (f"{HEADER},kind\n", "line 1: column 'kind' is there twice: remove one"),
        (f"{HEADER},{','.join(['eng'] * 60)}\n", "line 1: 63 columns, at most 40"),
        (f"{HEADER}\njay,G,animal\nowl,S,animal\njay,G,animal\n", "line 4: label 'jay' is on line 2, too: remove one"),
        (
            f"{HEADER}\njay,G,bird\n",
            "line 2: kind 'bird': must be animal, human, vehicle, blank, plant, object or other",
        ),
        (f"{HEADER}\njay,G,\n", "line 2: kind '': must be animal"),
        (f"{HEADER},taxon_rank\njay,G,animal,tribe\n", "line 2: taxon_rank 'tribe': must be kingdom, phylum, class"),
        (f"{HEADER}\n,G,animal\n", "line 2: no label: fill it in, or remove the line"),
        (f"{HEADER}\njay,G\n", "line 2 has 2 fields, the header 3: quote fields with commas"),
        (f"{HEADER}\nfox, red,V,animal\n", "line 2 has 4 fields, the header 3"),
        (f"{HEADER}\nj\x1b[2Jay,G,animal\n", "line 2: holds U+001B, unprintable: remove it"),
        (f"{HEADER}\nj\x00ay,G,animal\n", "line 2: holds U+0000, unprintable: remove it"),
        (f'{HEADER}\n"j\nay",G,animal\n', "line 3: holds U+000A, unprintable: remove it"),
        (f"{HEADER}\n\u202ejay,G,animal\n", "line 2: holds U+202E, unprintable: remove it"),
        (f"{HEADER}\n{'j' * 10_000},G,animal\n", "line 2: a field of 10000 bytes, at most 1000: shorten it"),
        (f'{HEADER}\n"jay,G,animal\n', "line 2: not CSV: unexpected end of data"),
        (f'{HEADER}\n"{"j" * 200_000}\n', "line 2: not CSV: field larger than field limit"),
        (f'{HEADER}\n"ja"y,G,animal\n', "line 2: not CSV"),
        (f"{HEADER}\njay,{'x' * 900},{'y' * 900}\n", "line 2: kind 'yyyyyyyyyy"),
        (HEADER.encode() + b"\njay,G,animal\nb\xe9,G,animal\n", "line 3 is not UTF-8 text: save the file as CSV in"),
        (b"\x00" * (MAX_BYTES + 1), f"{MAX_BYTES + 1} bytes, at most {MAX_BYTES}: not a taxonomy"),
    ],
)
def test_mistakes_are_named_with_their_line(text: str | bytes, message: str) -> None:
    assert message in refusal(text)


def test_rows_are_bounded() -> None:
    rows = "".join(f"{number},,other\n" for number in range(MAX_ROWS + 1))
    assert f"line {MAX_ROWS + 2}: more than {MAX_ROWS} labels" in refusal(f"{HEADER}\n{rows}")


class TestDifferences:
    TAXONOMY = read_taxonomy(TEXT.encode(), "t.csv")

    def test_none(self) -> None:
        assert self.TAXONOMY.differences(("jay", "fox, red", "nothing", "bolt")) == []

    def test_labels_that_only_one_of_both_has(self) -> None:
        assert self.TAXONOMY.differences(("Jay", "fox, red", "nothing", "bolt")) == [
            "no class is called 'jay': is 'Jay' meant?",
            "no line for 'Jay': what they are stays unknown",
        ]

    def test_a_thousand_of_them_are_counted(self) -> None:
        (line,) = read_taxonomy(f"{HEADER}\n".encode(), "t.csv").differences([str(number) for number in range(1000)])
        assert line == "no line for '0', '1', '2', '3', '4' and 995 more: what they are stays unknown"


class TestWhichFile:
    def test_none_anywhere(self, sealed: Bundle) -> None:
        assert load_taxonomy(None, None) is None
        assert load_taxonomy(None, sealed) is None

    def test_that_of_the_settings(self, sealed: Bundle, tmp_path: Path) -> None:
        (tmp_path / "t.csv").write_text(TEXT)
        taxonomy = load_taxonomy(str(tmp_path / "t.csv"), sealed)
        assert taxonomy is not None
        assert taxonomy.of("jay") is not None

    def test_one_that_is_not_there(self) -> None:
        with pytest.raises(MissingInputError, match=r"^taxonomy nowhere\.csv: cannot read: No such file"):
            load_taxonomy("nowhere.csv", None)

    def test_one_that_is_no_file_or_too_large(self, tmp_path: Path) -> None:
        with pytest.raises(MissingInputError, match="not a plain file"):
            read_file(Path("/dev/zero"))
        with (tmp_path / "large.csv").open("wb") as file:
            file.truncate(MAX_BYTES + 1)
        with pytest.raises(DataError, match="not a taxonomy"):
            read_file(tmp_path / "large.csv")


@given(
    st.binary(max_size=300), st.sampled_from([b"", f"{HEADER},eng\n".encode(), f"{HEADER}\njay,G,animal\n".encode()])
)
def test_no_bytes_crash_the_reader(data: bytes, start: bytes) -> None:
    try:
        taxonomy = read_taxonomy(start + data, "t.csv")
    except DataError as error:
        assert len(str(error)) < 400
    else:
        assert all(
            taxon.label.isprintable() or "\u200c" in taxon.label or "\u200d" in taxon.label for taxon in taxonomy.taxa
        )
        assert len({taxon.label for taxon in taxonomy.taxa}) == len(taxonomy.taxa)
