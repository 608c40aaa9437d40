"""All settings in one table: name, default, help.

Every setting is an environment variable with the prefix ``KEFU_``; ``__`` steps
into a group (``KEFU_GENERATOR__KIND=none``).  A variable that ends in ``_FILE``
names a file whose content is the value (``KEFU_GENERATOR__API_KEY_FILE``).
A ``.env`` file in the working directory is read too; the environment wins.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from chatbot.channel_settings import (
    DingTalkSettings,
    FeishuSettings,
    MessengerSettings,
    SlackSettings,
    TelegramSettings,
    WebhookSettings,
    WeChatSettings,
    WeComSettings,
    WhatsAppSettings,
)
from chatbot.door_settings import AuthSettings, LimitSettings, Origins, Proxies
from chatbot.errors import SettingsError
from chatbot.rasa_settings import CallbackSettings, RasaSettings, SocketIOSettings

__all__ = [
    "SAMPLE_COMPANY",
    "EmbedderSettings",
    "GeneratorSettings",
    "SettingRow",
    "Settings",
    "load_settings",
    "setting_rows",
]

PREFIX = "KEFU_"
DEFAULT_EMBEDDER = "multilingual-e5-small-q4"
DEFAULT_SECOND = "use-multilingual-v3-u8"
DEFAULT_MIDDLE = 8
SAMPLE_COMPANY = {"zh": "潮峰数码", "en": "Tidepeak"}
"""Name of the sample company."""


def _default_models_dir() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "kefu" / "models"


class EmbedderSettings(BaseModel):
    """The model that turns sentences into vectors."""

    model: str = Field(
        DEFAULT_EMBEDDER,
        description="Catalogue id, sentence-transformers id or local folder.",
    )
    second: str | None = Field(
        None,
        description="Second encoder whose similarity is added; empty: none. By default "
        "`use-multilingual-v3-u8` beside the default model and none beside another.",
    )
    middle_layer: int | None = Field(
        None,
        ge=0,
        description="Layer of the first encoder whose mean counts beside the last one's; 0: none. By default 8 "
        "for the default model and none for another.",
    )
    query_prefix: str | None = Field(
        None, description="Text put before a question; by default what the model card asks for."
    )
    passage_prefix: str | None = Field(
        None, description="Text put before an answer; by default what the model card asks for."
    )
    threads: int = Field(0, ge=0, description="CPU threads for the encoder; 0 means all cores.")
    adapter: str = Field(
        "",
        description="What is added to the first encoder's weights: a run of `kefu train encoder`, a file, or `none`; "
        "by default the promoted run. The index is built anew for it.",
    )

    @property
    def resolved_second(self) -> str:
        """The second encoder, with the default filled in; empty for none."""
        if self.second is not None:
            return self.second
        return DEFAULT_SECOND if self.model == DEFAULT_EMBEDDER else ""

    @property
    def resolved_middle(self) -> int:
        """The middle layer, with the default filled in; 0 for none."""
        if self.middle_layer is not None:
            return self.middle_layer
        return DEFAULT_MIDDLE if self.model == DEFAULT_EMBEDDER else 0


class GeneratorSettings(BaseModel):
    """The model that words answers and judges whether a text answers a question."""

    kind: Literal["llama_cpp", "transformers", "openai", "none"] = Field(
        "llama_cpp",
        description="llama_cpp: in this process; transformers: in this process with torch; "
        "openai: a server with the OpenAI protocol at `url`; none: curated answers only.",
    )
    model: str = Field(
        "auto",
        description="Catalogue id, path of a GGUF file, transformers id or folder, or the server's model name; "
        "`auto`: the largest of the catalogue that suits this machine's memory and cores (`kefu doctor` says which "
        "and why).",
    )
    adapter: str = Field(
        "",
        description="Fine-tuned adapter beside the model: a run of `kefu train generator`, a GGUF file, or `none`; "
        "by default the promoted run, else the one that comes with the model. For kind `llama_cpp`.",
    )
    compose: Literal["translations", "long", "none"] = Field(
        "translations",
        description="What it words: translations of entries that are missing in the customer's language; "
        "`long`: also answers to the point from long entries; `none`: nothing.",
    )
    url: str = Field("", description="Base URL of the server for kind `openai`, ending in /v1.")
    api_key: SecretStr = Field(SecretStr(""), description="Key for that server.")
    threads: int = Field(0, ge=0, description="CPU threads; 0 means all cores.")
    slots: int = Field(2, ge=1, le=64, description="Conversations that generate at the same time.")
    queue: int = Field(
        16, ge=0, description="Requests that may wait for a slot before customers are told «busy»."
    )
    context_tokens: int = Field(4096, ge=512, description="Context of one slot, in tokens.")
    max_tokens: int = Field(220, ge=16, description="Longest answer, in tokens.")
    timeout_s: float = Field(30.0, gt=0, description="Time limit of one generation, in seconds.")
    cache_mib: int = Field(384, ge=0, description="Memory for kept prompt prefixes, in MiB.")


class ActionSettings(BaseModel):
    """The company's own action server (rasa-sdk), for intents whose route names an action."""

    url: str = Field(
        "",
        description="Webhook of your rasa-sdk action server, e.g. `http://127.0.0.1:5055/webhook`; "
        "empty: the sample company's own.",
    )
    token: SecretStr = Field(SecretStr(""), description="Sent to it as `?token=…`, as Rasa does.")
    timeout_s: float = Field(10.0, gt=0, le=120, description="Time limit of one action, in seconds.")
    domain_path: Path | None = Field(
        None, description="Rasa domain.yml that is sent along; its responses can be named by actions."
    )
    sample: bool = Field(
        True,
        description="`kefu serve` starts the sample company's action server while no `url` and no own "
        "routes are set.",
    )
    sample_port: int = Field(
        5055, ge=0, le=65535, description="Its port on 127.0.0.1; a free one is taken when it is in use."
    )
    kefu_url: str = Field(
        "http://127.0.0.1:8000",
        description="Where `python -m rasa_sdk --actions chatbot.channels.rasa_actions` finds the running Kefu.",
    )
    kefu_key: SecretStr = Field(
        SecretStr(""), description="API key that it shows there, where Kefu asks for one."
    )


class Settings(BaseSettings):
    """Settings of one installation."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_file=".env",
        extra="ignore",
        frozen=True,
    )

    data_dir: Path = Field(Path("var"), description="Folder of the database, the index and trained parts.")
    models_dir: Path = Field(
        default_factory=_default_models_dir,
        description="Folder of downloaded models, shared between installations.",
    )
    database_url: str = Field("", description="SQLAlchemy URL; empty means SQLite in the data folder.")
    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for all.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    company: str = Field("", description="Name shown to customers; empty means the sample company's.")
    sample: bool = Field(True, description="Fill an empty knowledge base with the sample company.")
    languages: tuple[str, ...] = Field(
        (
            "zh",
            "en",
            "es",
            "ja",
            "de",
            "fr",
            "pt",
            "it",
            "ko",
            "ru",
            "vi",
            "th",
            "ar",
            "id",
            "nl",
            "tr",
            "pl",
        ),
        description="Languages customers may write in, as a JSON list.",
    )
    default_language: str = Field("en", description="Language when nothing else tells.")
    max_message_chars: int = Field(2000, ge=20, description="Longest message of a customer, in characters.")
    judge: bool = Field(
        True, description="Read an entry before answering from it where the search is unsure."
    )
    token_secret: SecretStr = Field(
        SecretStr(""),
        description="Key that signs conversation tokens, at least 32 bytes; "
        "by default one is made and kept in the data folder.",
    )
    token_days: float = Field(
        30.0, gt=0, le=3650, description="How long a conversation token can be used, in days."
    )
    history_turns: int = Field(6, ge=0, description="Earlier exchanges a turn may look at.")
    nlu_path: Path | None = Field(None, description="Rasa nlu.yml with intents; empty means the sample's.")
    routes_path: Path | None = Field(
        None, description="routes.yml with each intent's route; empty means the sample's."
    )
    workers: int = Field(
        32,
        ge=1,
        le=512,
        description="Messages that are worked on at the same time; more than the generator's slots and queue "
        "together, so that answers from the knowledge base alone never wait for it.",
    )
    waiting: int = Field(
        256, ge=0, description="Messages that may wait for a worker before customers are told «busy»."
    )
    cors_origins: Origins = Field(
        (),
        description="Sites whose pages may call the API from the browser, with commas between, "
        "e.g. `https://shop.example`; `*`: all, without cookies.",
    )
    trusted_proxies: Proxies = Field(
        (),
        description="Addresses or CIDR ranges of proxies whose X-Forwarded-For is believed, with commas between.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least severe log level shown."
    )
    auth: AuthSettings = Field(default_factory=AuthSettings, description="")
    limits: LimitSettings = Field(default_factory=LimitSettings, description="")
    embedder: EmbedderSettings = Field(default_factory=EmbedderSettings, description="")
    generator: GeneratorSettings = Field(default_factory=GeneratorSettings, description="")
    actions: ActionSettings = Field(default_factory=ActionSettings, description="")
    rasa: RasaSettings = Field(default_factory=RasaSettings, description="")
    socketio: SocketIOSettings = Field(default_factory=SocketIOSettings, description="")
    callback: CallbackSettings = Field(default_factory=CallbackSettings, description="")
    webhooks: WebhookSettings = Field(default_factory=WebhookSettings, description="")
    messengers: MessengerSettings = Field(default_factory=MessengerSettings, description="")
    telegram: TelegramSettings = Field(default_factory=TelegramSettings, description="")
    whatsapp: WhatsAppSettings = Field(default_factory=WhatsAppSettings, description="")
    slack: SlackSettings = Field(default_factory=SlackSettings, description="")
    feishu: FeishuSettings = Field(default_factory=FeishuSettings, description="")
    dingtalk: DingTalkSettings = Field(default_factory=DingTalkSettings, description="")
    wechat: WeChatSettings = Field(default_factory=WeChatSettings, description="")
    wecom: WeComSettings = Field(default_factory=WeComSettings, description="")

    def company_in(self, language: str) -> str:
        """The company's name as it is shown to readers of a language."""
        return self.company or SAMPLE_COMPANY.get(language, SAMPLE_COMPANY["en"])

    @property
    def runs_dir(self) -> Path:
        """Folder of the training runs."""
        return self.data_dir / "training"

    @property
    def resolved_database_url(self) -> str:
        """The database URL, with the default filled in."""
        return self.database_url or f"sqlite:///{(self.data_dir / 'kefu.db').absolute()}"


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One line of the settings table."""

    variable: str
    default: str
    help: str


def setting_rows() -> list[SettingRow]:
    """The whole table, in the order it is documented."""
    return list(_rows(Settings, PREFIX))


def _rows(model: type[BaseModel], prefix: str) -> Iterator[SettingRow]:
    for name, info in model.model_fields.items():
        variable = prefix + name.upper()
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from _rows(info.annotation, variable + "__")
            continue
        value = info.get_default(call_default_factory=True, validated_data={})
        if name == "models_dir":
            value = "~/.cache/kefu/models"
        if isinstance(value, tuple):
            value = " ".join(str(item) for item in value)
        shown = "" if value is None or isinstance(value, SecretStr) else str(value)
        yield SettingRow(variable, shown, info.description or "")


def _values_from_files() -> dict[str, Any]:
    """The values of all ``KEFU_…_FILE`` variables, nested as the settings are."""
    values: dict[str, Any] = {}
    for variable in [v for v in os.environ if v.startswith(PREFIX) and v.endswith("_FILE")]:
        target = variable.removesuffix("_FILE")
        if target in os.environ:
            raise SettingsError(f"both {variable} and {target} are set; keep one of them")
        path = Path(os.environ[variable])
        try:
            content = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"{variable} names {path}, which cannot be read ({type(error).__name__}); give a readable file"
            ) from error
        *groups, name = target.removeprefix(PREFIX).lower().split("__")
        place = values
        for group in groups:
            place = place.setdefault(group, {})
        place[name] = content
    return values


def load_settings() -> Settings:
    """Reads the settings of this process.

    Raises:
        SettingsError: a value cannot be used; the text names the variable, the
            value found and what was expected.
    """
    try:
        return Settings(**_values_from_files())
    except ValidationError as error:
        first = error.errors()[0]
        variable = PREFIX + "__".join(str(part).upper() for part in first["loc"])
        secret = any(word in variable for word in ("KEY", "SECRET", "TOKEN", "PASSWORD", "HEADERS"))
        found = "a secret" if secret else repr(first.get("input"))
        raise SettingsError(f"{variable} is {found}: {first['msg']}") from error
