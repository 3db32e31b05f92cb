"""Labels files of other tools: a number in them is heeded or the file refused; nothing becomes a label by accident."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bundle.labels import label_problem, twins
from edge.errors import BundleError
from edge.importing.labels import distinct, read_labels

COLOURS = ("red", "green", "blue")


@pytest.mark.parametrize(
    "text",
    [
        "red\ngreen\nblue\n",
        "red\r\ngreen\r\nblue",
        "\ufeffred\ngreen\nblue\n\n\n",
        "2,blue\n0,red\n1,green\n",
        "2  blue\n0  red\n1  green\n",
        "2\tblue\n0\tred\n1\tgreen\n",
        "2;blue\n0;red\n1;green\n",
        "2: blue\n0: red\n1: green\n",
        "2:blue\n0:red\n1:green\n",
        "[2] blue\n[0] red\n[1] green\n",
        "0 red\n1 green\n2 blue\n",
        "1 red\n2 green\n3 blue\n",
        "3 blue\n1 red\n2 green\n",
        "001 red\n003 blue\n002 green\n",
        "id,name\n2,blue\n0,red\n1,green\n",
        "index\tlabel\n2\tblue\n0\tred\n1\tgreen\n",
        "name,id\nblue,2\nred,0\ngreen,1\n",
        "red,0\nblue,2\ngreen,1\n",
        '"id","name"\n"2","blue"\n"0","red"\n"1","green"\n',
        "label\nred\ngreen\nblue\n",
        "class name\nred\ngreen\nblue\n",
        '"red"\n"green"\n"blue"\n',
        '"red",\n"green",\n"blue",\n',
        "\u0662 blue\n\u0660 red\n\u0661 green\n",  # Arabic digits
        "\u06f1,red\n\u06f3,blue\n\u06f2,green\n",  # Persian ones
        "\uff12\uff1ablue\n\uff10\uff1ared\n\uff11\uff1agreen\n",  # wide digits and colons
        "2\u3001blue\n0\u3001red\n1\u3001green\n",
        "2\uff0cblue\n0\uff0cred\n1\uff0cgreen\n",
        "2\u3000blue\n0\u3000red\n1\u3000green\n",
        "2|blue\n0|red\n1|green\n",
        "2 -> blue\n0 -> red\n1 -> green\n",
        "2=>blue\n0=>red\n1=>green\n",
        "2)blue\n0)red\n1)green\n",
        "2.0,blue\n0.0,red\n1.0,green\n",
        "2.0 blue\n0.0 red\n1.0 green\n",
        "blue: 2\nred: 0\ngreen: 1\n",
        "blue=2\nred=0\ngreen=1\n",
        "blue -> 2\nred -> 0\ngreen -> 1\n",
        "blue (2)\nred (0)\ngreen (1)\n",
        "2_blue\n0_red\n1_green\n",
        "0x2 blue\n0x0 red\n0x1 green\n",
        "class 2: blue\nclass 0: red\nclass 1: green\n",
        "\u2116 2 blue\n\u2116 0 red\n\u2116 1 green\n",
        "red: 0\ngreen: 1\nblue: 2\n",
        "index,mid,display_name\n2,/m/1,blue\n0,/m/2,red\n1,/m/3,green\n",
        "display_name,mid,index\nblue,/m/1,2\nred,/m/2,0\ngreen,/m/3,1\n",
        "id,name,count\n2,blue,17\n0,red,17\n1,green,4\n",
        "name;display;id\nblue;Blue;3\nred;Red;1\ngreen;Green;2\n",
        "\u2462 blue\n\u2460 red\n\u2461 green",  # circled
        "\u2778blue\n\u2776red\n\u2777green",  # circled, white on black
        "\u00b3 blue\n\u00b9 red\n\u00b2 green",  # raised
        "label\n\u2461 blue\n\u24ea red\n\u2460 green",
        "3 \u2013 blue\n1 \u2013 red\n2 \u2013 green",
        "0 \u2014 red\n1 \u2014 green\n2 \u2014 blue",
        "2 \u2022 blue\n0 \u2022 red\n1 \u2022 green",
        "2::blue\n0::red\n1::green",
        "2\u2013blue\n0\u2013red\n1\u2013green",
        "| 2 | blue |\n| 0 | red |\n| 1 | green |",
        "| red |\n| green |\n| blue |",
        "- red\n- green\n- blue",
        "- 2 blue\n- 0 red\n- 1 green",
        "\u2022 red\n\u2022 green\n\u2022 blue",
        "'red',\n'green',\n'blue',",
        "'red'\n'green'\n'blue'",
        "red,\ngreen,\nblue",
        "`red`\n`green`\n`blue`",
        "\u201cred\u201d\n\u201cgreen\u201d\n\u201cblue\u201d",
        "'blue': 2,\n'red': 0,\n'green': 1,",
        "'2','blue'\n'0','red'\n'1','green'",
        "0/red\n1/green\n2/blue",
        "1/red\n2/green\n3/blue",
        "0-red\n1-green\n2-blue",
        "2-blue\n0-red\n1-green",
        "{0} red\n{1} green\n{2} blue",
        "<3> blue\n<1> red\n<2> green",
        "2~blue\n0~red\n1~green",
        "0red\n1green\n2blue",
        "2.blue\n0.red\n1.green",
        "c) blue\na) red\nb) green",
        "count,label\n".replace("count", "Nummer") + "2,blue\n0,red\n1,green",
    ],
)
def test_numbers_and_headers_are_heeded(text: str) -> None:
    assert read_labels(text.encode(), 3) == COLOURS


@pytest.mark.parametrize(
    "labels",
    [
        ("0", "1", "2", "3"),
        ("10 cent", "20 cent", "50 cent"),
        ("tench, Tinca tinca", "goldfish, Carassius auratus"),
        ("3-spined stickleback", "7up", "2CV"),
        ("boeing 737", "boeing 747"),
        ("2 CV", "Golf", "Kadett", "Trabant"),
        ("label", "parcel"),
        ("class 0", "class 1"),
        ("0", "1", "10", "2", "3", "4", "5", "6", "7", "8", "9"),  # folders as their names sort
        ("grade 1 oak", "grade 2 elm"),
        ("1-euro", "2-cents"),
        ("1st floor", "2nd floor", "3rd floor"),
        ("1% milk", "2% milk"),
        ("0.5 mm", "1.5 mm", "2.5 mm"),
        ("A. mellifera", "B. terrestris"),
        ("x-ray", "-40 degrees"),
        ("I beam", "II beam"),
        ("'t Hooft", "owl"),
        ("area m\u00b2", "volume m\u00b3"),
        ("owl, Strix aluco, bird", "wren, Troglodytes, bird"),
        ("नमस्ते", "क\u200dष"),
    ],
)
def test_names_with_numbers_and_commas_stay_whole(labels: tuple[str, ...]) -> None:
    assert read_labels("\n".join(labels).encode(), len(labels)) == labels


def test_names_with_commas_and_numbers() -> None:
    text = '1,"goldfish, Carassius auratus"\n0,"tench, Tinca tinca"\n'
    assert read_labels(text.encode(), 2) == ("tench, Tinca tinca", "goldfish, Carassius auratus")
    assert read_labels(b"1: goldfish, Carassius auratus\n0: tench\n", 2) == ("tench", "goldfish, Carassius auratus")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 red\n1 green\n3 blue\n", "0 to 3, but 2 is missing"),
        ("1,red\n2,green\n90,blue\n", "but 3 is missing"),
        ("0 red\n1 green\n1 blue\n", "1 comes twice"),
        ("12345,red\n12346,green\n12399,blue\n", "is missing"),
        ("0 red\n1 green\nblue\n", "2 of 3 lines begin with a number"),
        ("1 star\n2 stars\n3 stars\n", "names behind are often the same"),
        ("id,name\n0,red\n1,green\n", "2 labels, but the model has 3 outputs: if the first output is a background"),
        ("0 red\n1 green\n2 blue\n3 black\n", "4 labels, but the model has 3 outputs"),
        ("red\n\ngreen\n", "label 2 is empty"),
        ("", "0 labels"),
        ('["red",\n"green",\n"blue"]', "JSON, Python or a label map"),
        ("{0: 'red',\n1: 'green',\n2: 'blue'}", "JSON, Python or a label map"),
        ('item {\nid: 1\nname: "red"}', "JSON, Python or a label map"),
        ("red\nunknown\nblue\n", "label 2 is 'unknown', which the device reports"),
        ("2 unknown\n0 red\n1 green", "label 3 is 'unknown'"),
        ("red\nUnknown\nblue\n", "label 2 reads as 'unknown'"),
        ("red\n\uff55nknown\nblue\n", "label 2 reads as 'unknown'"),
        ("red\n\u2066green\nblue\n", r"label 2 holds U\+2066 LEFT-TO-RIGHT ISOLATE"),
        ("red\ngr\u3164een\nblue\n", r"label 2 holds U\+3164"),
        ("\u0660 red\n\u0661 green\n\u0663 blue\n", "0 to 3, but 2 is missing"),
        ("blue 2\nred 0\ngreen 1", "each line has a number, 0 to 2, but not in the order"),
        ("class 2 blue\nclass 0 red\nclass 1 green", "each line has a number, 0 to 2"),
        ("blue_2\nred_0\ngreen_1", "each line has a number, 0 to 2"),
        ("class 1\nclass 0\nclass 2", "number all lines from 0 to 2 in front, such as '0 class 1'"),
        (f"{10**30} red\n{10**30 + 2} blue\n{10**30 + 1} green", "but 1 is missing"),
        ("2,/m/1,blue\n0,/m/2,red\n1,/m/3,green", "a table of 3 columns, and no header names"),
        ("blue\t/m/1\t2\nred\t/m/2\t0\ngreen\t/m/3\t1", "a table of 3 columns, and no header names"),
        ("a,b,c\n2,/m/1,blue\n0,/m/2,red\n1,/m/3,green", "a table of 3 columns, and no header names"),
        ("id,name,n\n7,blue,1\n0,red,2\n1,green,9", "not one column 'id' or 'index' counts the outputs"),
        ("0 2 red\n1 0 green\n2 1 blue", "two numbers that count the outputs in different orders"),
        ("0: red 2\n1: green 0\n2: blue 1", "two numbers that count the outputs in different orders"),
        ("red 0 0 1\ngreen 1 0 0\nblue 0 1 0", "3 columns of 0 and 1"),
        ("red 1 0 0\ngreen 0 1 0\nblue 0 0 1", "3 columns of 0 and 1"),
        ("0,0,1,red\n1,0,0,green\n0,1,0,blue", "3 columns of 0 and 1"),
        ("label,samples\nred,3\ngreen,1\nblue,2", "the column 'samples' does not number the outputs"),
        ("images;label\n3;red\n1;green\n2;blue", "the column 'images' does not number the outputs"),
        ("name\tcount\nred\t2\ngreen\t0\nblue\t1", "the column 'count' does not number the outputs"),
        ("2.5 red\n0.5 green\n1.5 blue", "each line has a number, 0 to 2"),
        ("II red\nI green\nIII blue", "each line has a number, 1 to 3"),
        ("red\u00b2\ngreen\u00b9\nblue\u00b3", "each line has a number, 1 to 3"),
        ("red\x1b[2J\ngreen\nblue", r"label 1 holds U\+001B"),
        ("r\0e\0d\0\ngreen\nblue", r"label 1 holds U\+0000"),
    ],
)
def test_what_is_not_clear_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        read_labels(text.encode(), 3)


def test_outputs_of_one_name_are_told_apart_by_their_numbers() -> None:
    labels = ("crane", "owl", "Crane", "crane", "caf\u00e9", "cafe\u0301")
    made, remark = distinct(labels)
    assert made == ("crane (0)", "owl", "Crane", "crane (3)", "caf\u00e9 (4)", "cafe\u0301 (5)")
    assert remark == (
        "2 outputs are called 'crane', and 1 more labels come several times: the number of the output, from 0, is "
        "added to their names ('crane (0)', 'crane (3)'); better give them names of their own"
    )
    assert distinct(("owl", "wren")) == (("owl", "wren"), None)
    assert distinct(("a", "a", "a (0)"))[0] == ("a (0) (0)", "a (1)", "a (0)")


@given(st.lists(st.sampled_from(["a", "a (0)", "a (1)", "b", "\u00e9" * 500]), min_size=2, max_size=12))
def test_no_two_labels_look_the_same_afterwards(labels: list[str]) -> None:
    made, remark = distinct(labels)
    assert not twins(made)
    assert all(label_problem(label) is None for label in made)
    assert (remark is None) == (made == tuple(labels))


def test_other_encodings_are_refused() -> None:
    for encoding in ("utf-16", "latin-1"):
        with pytest.raises(BundleError, match="not UTF-8 text"):
            read_labels("grün\nrot".encode(encoding), 2)


@given(st.integers(2, 60), st.sampled_from([" ", "  ", "\t", ",", ";", ": "]), st.sampled_from([0, 1]), st.randoms())
def test_any_order_of_numbered_lines_gives_the_same_labels(
    count: int, between: str, first: int, chance: random.Random
) -> None:
    names = [f"kind {chr(97 + n % 26)}{n // 26}" for n in range(count)]
    lines = [f"{number}{between}{name}" for number, name in enumerate(names, first)]
    chance.shuffle(lines)
    assert read_labels("\n".join(lines).encode(), count) == tuple(names)


@given(st.one_of(st.binary(max_size=200), st.text("0123 ,;:\t\n\"'[]{}ab\0\x85", max_size=80).map(str.encode)))
def test_any_bytes_are_labels_or_one_line(data: bytes) -> None:
    for classes in (2, 3, data.count(b"\n") + 1):
        try:
            labels = read_labels(data, classes)
        except BundleError as error:
            assert "\n" not in str(error)
        else:
            assert len(labels) == classes
            assert all(label and label.isprintable() for label in labels)


@given(
    st.integers(2, 40),
    st.sampled_from(
        ["{0} {1}", "{0}_{1}", "{0}-{1}", "{0}: {1}", "{1}: {0}", "{1} {0}", "{1}={0}", "{1}_{0}", "{1}#{0}", "{1}/{0}",
         "class {0} {1}", "class {0}: {1}", "<{0}> {1}", "{0:#x} {1}", "{0}.0 {1}", "{1} ({0})", "{1},/m/1,{0}",
         "{0},/m/1,{1}", "{1}|x|{0}", "{0}~{1}", "{0:04d}{1}",
         "{0} \u2013 {1}", "{0}::{1}", "| {0} | {1} |", "- {0} {1}", "{{{0}}} {1}",
         "'{1}': {0},", "{0}{1}", "{0}/{1}"]
    ),
    st.sampled_from([0, 1]),
    st.randoms(),
)  # fmt: skip
def test_the_order_of_the_lines_is_never_taken_if_they_count_in_another(
    count: int, form: str, first: int, chance: random.Random
) -> None:
    names = [f"kind {chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(count)]
    lines = [form.format(number, name) for number, name in enumerate(names, first)]
    chance.shuffle(lines)
    try:
        found = read_labels("\n".join(lines).encode(), count)
    except BundleError:
        return
    assert found == tuple(names) or lines == [form.format(number, name) for number, name in enumerate(names, first)]
