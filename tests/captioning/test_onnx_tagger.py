"""ONNX taggers through onnxruntime, on a model that tells a picture's mean colours."""

from pathlib import Path

import pytest
from PIL import Image

from lib_lora_cook.captioning import onnx_tagger
from lib_lora_cook.captioning.spec import TaggerSpec
from lib_lora_cook.errors import UserError

onnx = pytest.importorskip("onnx")

LABELS = "tag_id,name,category,count\n1,general,9,1\n2,green_hair,0,1\n3,red_(series),4,1\n"


def write_tagger(folder: Path, batch: object = "N", labels: str = LABELS, colours: int = 3) -> Path:
    """A model of 8 x 8 pixels: outputs are the means of its channels / 255, in their order."""
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Mul", ["mean", "scale"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "means",
        [helper.make_tensor_value_info("x", floats, [batch, 8, 8, colours])],
        [helper.make_tensor_value_info("y", floats, [batch, colours])],
        [helper.make_tensor("scale", floats, [1], [1 / 255])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    folder.mkdir(parents=True)
    onnx.save(model, str(folder / "model.onnx"))
    (folder / "selected_tags.csv").write_text(labels, encoding="utf-8")
    return folder


def test_a_folder_is_loaded_and_tells_tags_by_category(tmp_path: Path) -> None:
    tagger = onnx_tagger.load(write_tagger(tmp_path / "means"))
    red, blue = tagger.predict([Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")])
    assert red.character == {"red_(series)": pytest.approx(1)}
    assert red.rating == {"general": pytest.approx(0)} and red.general == {"green_hair": 0}
    assert red.names() == ["red (series)"]
    assert blue.rating["general"] == pytest.approx(1), "the first channel is blue"
    assert tagger.predict([]) == []


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("batch", ["N", 1, 2])
def test_pictures_come_back_in_order_whatever_the_batch(
    tmp_path: Path, batch: object, many: bool
) -> None:
    tagger = onnx_tagger.load(write_tagger(tmp_path / "means", batch), many=many)
    images = [Image.new("RGB", (8, 8), (value, 0, 0)) for value in range(0, 250, 25)]
    found = [round(tags.character["red_(series)"] * 255) for tags in tagger.predict(images)]
    assert found == list(range(0, 250, 25))


@pytest.mark.parametrize(
    ("provider", "batch", "many", "found"),
    [("CPU", "N", True, (4, 1)), ("CPU", "N", False, (0, 8)), ("CPU", 2, True, (0, 2)),
     ("CUDA", "N", True, (0, 8))],
)  # fmt: skip
def test_each_core_takes_a_picture_of_its_own_where_there_are_many_and_no_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str, batch: object, many: bool,
    found: tuple[int, int],
) -> None:  # fmt: skip
    folder = write_tagger(tmp_path / "means", batch)
    monkeypatch.setattr(onnx_tagger, "cores", lambda: 4)
    monkeypatch.setattr(onnx_tagger, "THREADS", 4)
    monkeypatch.setattr(onnx_tagger, "_on_gpu", lambda: provider == "CUDA")
    tagger = onnx_tagger.load(folder, many=many)
    assert (tagger.at_once, tagger.batch) == found
    threads = tagger.session.get_session_options().intra_op_num_threads
    assert threads == (1 if tagger.at_once else 4)


def test_outputs_that_are_logits_go_through_a_sigmoid(tmp_path: Path) -> None:
    tagger = onnx_tagger.load(write_tagger(tmp_path / "m"), TaggerSpec(activation="sigmoid"))
    assert tagger.predict([Image.new("RGB", (8, 8))])[0].general == {"green_hair": 0.5}


def test_a_misspelt_tagger_is_told_with_those_that_are_there(tmp_path: Path) -> None:
    write_tagger(tmp_path / "wd-v3")
    write_tagger(tmp_path / "toy")
    with pytest.raises(UserError, match=r"No such tagger: .*wd-v4\. There are: toy, wd-v3"):
        onnx_tagger.load(tmp_path / "wd-v4")
    with pytest.raises(UserError, match=r"No model\.onnx in this tagger: .*There are: toy"):
        onnx_tagger.load(tmp_path)
    with pytest.raises(UserError, match="There is none nearby"):
        onnx_tagger.load(tmp_path / "a" / "b")


def test_a_tagger_without_its_tags_or_with_others_is_refused(tmp_path: Path) -> None:
    (write_tagger(tmp_path / "a") / "selected_tags.csv").unlink()
    with pytest.raises(UserError, match="No selected_tags.csv in this tagger"):
        onnx_tagger.load(tmp_path / "a")
    with pytest.raises(UserError, match="3 outputs, its list 1 tags"):
        onnx_tagger.load(write_tagger(tmp_path / "b", labels="name,category\nx,0\n"))
    for number, labels in enumerate(["", "tag,kind\nx,0\n", "name,category\nx,zero\n", "\n\nx"]):
        with pytest.raises(UserError, match="no list of tags|outputs, its list"):
            onnx_tagger.load(write_tagger(tmp_path / f"c{number}", labels=labels))


def test_a_file_that_is_no_model_or_another_one_is_refused(tmp_path: Path) -> None:
    folder = write_tagger(tmp_path / "a")
    (folder / "model.onnx").write_bytes(b"nothing")
    with pytest.raises(UserError, match="no ONNX model"):
        onnx_tagger.load(folder)
    with pytest.raises(UserError, match="does not take NHWC pictures"):
        onnx_tagger.load(write_tagger(tmp_path / "b", colours=4))
    with pytest.raises(UserError, match="does not take NCHW pictures"):
        onnx_tagger.load(write_tagger(tmp_path / "c"), TaggerSpec(layout="NCHW"))
