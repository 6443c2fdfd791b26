import { VxApp } from "./elements/vx-app.js";
import { VxAuth } from "./elements/vx-auth.js";
import { VxComposer } from "./elements/vx-composer.js";
import { VxConversation } from "./elements/vx-conversation.js";
import { VxConversationList } from "./elements/vx-conversation-list.js";
import { VxDrafts } from "./elements/vx-drafts.js";
import { VxLive } from "./elements/vx-live.js";
import { VxMain } from "./elements/vx-main.js";
import { VxMessage } from "./elements/vx-message.js";
import { VxMessageList } from "./elements/vx-message-list.js";
import { VxNowPlaying } from "./elements/vx-now-playing.js";
import { VxPending } from "./elements/vx-pending.js";
import { VxPlayer } from "./elements/vx-player.js";
import { VxToasts } from "./elements/vx-toasts.js";

/** Gives every element its name; the classes themselves know nothing of it. */
export function define() {
  customElements.define("vx-app", VxApp);
  customElements.define("vx-auth", VxAuth);
  customElements.define("vx-composer", VxComposer);
  customElements.define("vx-conversation", VxConversation);
  customElements.define("vx-conversation-list", VxConversationList);
  customElements.define("vx-drafts", VxDrafts);
  customElements.define("vx-live", VxLive);
  customElements.define("vx-main", VxMain);
  customElements.define("vx-message", VxMessage);
  customElements.define("vx-message-list", VxMessageList);
  customElements.define("vx-now-playing", VxNowPlaying);
  customElements.define("vx-pending", VxPending);
  customElements.define("vx-player", VxPlayer);
  customElements.define("vx-toasts", VxToasts);
}
