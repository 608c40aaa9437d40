"""``botium-core`` with its SimpleREST container, as testers of Rasa assistants use it, against the REST channel."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from chatbot.storage import Conversations
from chatbot.turn import Button, Message, Reply
from tests.chatbot.channels.npm import npm_packages
from tests.chatbot.channels.serving import serving
from tests.fakes import FakeBot

pytestmark = pytest.mark.browser

SCRIPT = """
const { BotDriver, Capabilities } = require('botium-core')
const [address, messages] = [process.argv[2], JSON.parse(process.argv[3])]
const driver = new BotDriver()
  .setCapability(Capabilities.PROJECTNAME, 'kefu')
  .setCapability(Capabilities.CONTAINERMODE, 'simplerest')
  .setCapability('SIMPLEREST_URL', address + '/webhooks/rest/webhook')
  .setCapability('SIMPLEREST_METHOD', 'POST')
  .setCapability('SIMPLEREST_HEADERS_TEMPLATE', { 'Content-Type': 'application/json' })
  .setCapability('SIMPLEREST_BODY_TEMPLATE', { sender: '{{botium.conversationId}}', message: '{{msg.messageText}}' })
  .setCapability('SIMPLEREST_RESPONSE_JSONPATH', '$.text')
  .setCapability('SIMPLEREST_BODY_JSONPATH', '$.*')
  .setCapability('SIMPLEREST_BUTTONS_JSONPATH', '$.buttons.*.title')
  .setCapability('SIMPLEREST_MEDIA_JSONPATH', '$.image')
  .setCapability('WAITFORBOTTIMEOUT', 10000)
async function main () {
  const heard = []
  const container = await driver.Build()
  await container.Start()
  for (const { say, replies } of messages) {
    await container.UserSaysText(say)
    for (let i = 0; i < replies; i++) heard.push(await container.WaitBotSays())
  }
  await container.Stop()
  await container.Clean()
  console.log('HEARD ' + JSON.stringify(heard.map(m => ({
    text: m.messageText, buttons: (m.buttons || []).map(b => b.text), media: (m.media || []).map(x => x.mediaUri)
  }))))
}
main().then(() => process.exit(0), error => { console.error(error); process.exit(1) })
"""


def answer(message: Message) -> Reply | str:
    if message.text == "which":
        return FakeBot.reply("Which?", buttons=(Button("A", "/a"), Button("B", "/b")))
    if message.text == "picture":
        return FakeBot.reply("Here.", images=("https://shop.example/a.png",))
    return f"first {message.text}\n\nsecond 退货"


def test_texts_buttons_and_pictures_arrive(
    make_app: Callable[..., FastAPI], conversations: Conversations, tmp_path: Path
) -> None:
    modules = npm_packages("botium", "botium-core@1.15.13")
    script = tmp_path / "talk.js"
    script.write_text(SCRIPT)
    talk = [{"say": "hi", "replies": 2}, {"say": "which", "replies": 1}, {"say": "picture", "replies": 2}]
    bot = FakeBot(answer, history=conversations)
    with serving(make_app(bot)) as address:
        node = shutil.which("node") or "node"
        done = subprocess.run(
            [node, str(script), address, json.dumps(talk)],
            capture_output=True,
            text=True,
            timeout=90,
            cwd=tmp_path,
            env={"NODE_PATH": str(modules), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
            check=False,
        )
    assert done.returncode == 0, done.stderr[-2000:]
    heard: list[dict[str, Any]] = json.loads(done.stdout.split("HEARD ", 1)[1])
    assert heard == [
        {"text": "first hi", "buttons": [], "media": []},
        {"text": "second 退货", "buttons": [], "media": []},
        {"text": "Which?", "buttons": ["A", "B"], "media": []},
        {"text": "Here.", "buttons": [], "media": []},
        {"text": "", "buttons": [], "media": ["https://shop.example/a.png"]},
    ]
    assert len({message.conversation_id for message in bot.seen}) == 1
