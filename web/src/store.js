/** @typedef {import("./types.js").Conversation} Conversation */
/** @typedef {import("./types.js").Message} Message */
/** @typedef {import("./types.js").PlaybackSummary} PlaybackSummary */
/** @typedef {import("./types.js").SocketEvent} SocketEvent */

/**
 * What the page knows of one conversation's messages: a stretch without holes up to the newest.
 * @typedef {{ items: Message[], complete: boolean }} Stretch
 */

/**
 * The state behind the page: conversations and the messages that were loaded, merged by version from lists and events in
 * whatever order they come. Tells of a change by these events (`detail` is the conversation's id where there is one):
 * `conversations`, `conversation`, `messages`, `arrived` (a message of somebody else, `detail` is the message), `stale`
 * (a conversation must be fetched again).
 */
export class Store extends EventTarget {
  /** Id of the person this state is seen by. */
  me = "";
  /** @type {Map<string, Conversation>} */
  #conversations = new Map();
  /** @type {Map<string, Stretch>} */
  #stretches = new Map();
  /** Messages that came while the newest page of their conversation was on its way. @type {Map<string, Message[]>} */
  #early = new Map();
  /** Conversations that came, changed or went while a list was on its way. @type {Set<string> | null} */
  #touched = null;
  /** Goes up when everything that was loaded is dropped: a page that was asked for before that has no place any more. */
  generation = 0;

  clear() {
    this.me = "";
    this.#conversations.clear();
    this.#touched = null;
    this.#drop();
    this.#tell("conversations");
  }

  /** Newest activity first. */
  conversations() {
    return [...this.#conversations.values()].sort((a, b) => (lastActivity(a) < lastActivity(b) ? 1 : -1));
  }

  /** @param {string} id */
  conversation(id) {
    return this.#conversations.get(id) ?? null;
  }

  /** The loaded messages, oldest first; null before the first load. @param {string} conversationId */
  stretch(conversationId) {
    return this.#stretches.get(conversationId) ?? null;
  }

  /** @param {string} messageId */
  message(messageId) {
    for (const { items } of this.#stretches.values()) {
      const found = items.find(({ id }) => id === messageId);
      if (found) return found;
    }
    return null;
  }

  unread() {
    return this.conversations().reduce((sum, { unread_count }) => sum + (unread_count ?? 0), 0);
  }

  /** A complete list is asked for: from now on what events tell is newer than it. Its answer goes to `replaceAll`. */
  beginList() {
    this.#touched = new Set();
    return this.#touched;
  }

  /**
   * A complete list: what is not in it is no longer ours, unless an event brought it since `list` began. Loaded messages may
   * have a hole now, so they are dropped.
   * @param {Conversation[]} items
   * @param {Set<string>} list  of `beginList`; one that another has replaced changes nothing
   */
  replaceAll(items, list) {
    if (list !== this.#touched) return;
    this.#touched = null;
    const before = this.#conversations;
    this.#conversations = new Map();
    for (const item of items) this.#conversations.set(item.id, newer(before.get(item.id), item));
    for (const id of list) {
      const held = before.get(id);
      if (!held) this.#conversations.delete(id);
      else if (!this.#conversations.has(id)) this.#conversations.set(id, held);
    }
    const loaded = this.#drop();
    this.#tell("conversations");
    for (const id of loaded) this.#tell("messages", id);
    // Its counts may be from before the event or after it.
    for (const id of list) if (this.#conversations.has(id)) this.#tell("stale", id);
  }

  /** Forgets the messages; returns of which conversations there were some. */
  #drop() {
    this.generation += 1;
    const loaded = [...new Set([...this.#stretches.keys(), ...this.#early.keys()])];
    this.#stretches.clear();
    this.#early.clear();
    return loaded;
  }

  /** @param {Conversation} item */
  mergeConversation(item) {
    this.#touched?.add(item.id);
    this.#conversations.set(item.id, newer(this.#conversations.get(item.id), item));
    this.#tell("conversation", item.id);
    this.#tell("conversations");
  }

  /** @param {string} id */
  removeConversation(id) {
    this.#touched?.add(id);
    this.#conversations.delete(id);
    this.#stretches.delete(id);
    this.#early.delete(id);
    this.#tell("conversations");
  }

  /** The newest page is asked for: what events bring until it is there belongs to it. @param {string} conversationId */
  beginPage(conversationId) {
    if (!this.#stretches.has(conversationId)) this.#early.set(conversationId, []);
  }

  /**
   * A page of messages that ends where the loaded ones begin, or the newest page.
   * @param {string} conversationId
   * @param {Message[]} items  ascending
   * @param {boolean} complete  there is nothing older
   */
  mergePage(conversationId, items, complete) {
    const first = complete ? 0 : (items[0]?.seq ?? 0);
    const early = (this.#early.get(conversationId) ?? []).filter(({ seq }) => (seq ?? 0) >= first);
    this.#early.delete(conversationId);
    const stretch = this.#stretches.get(conversationId) ?? { items: early, complete };
    stretch.complete = complete;
    for (const item of items) insert(stretch.items, item);
    this.#stretches.set(conversationId, stretch);
    this.#tell("messages", conversationId);
  }

  /** @param {Message} message */
  mergeMessage(message) {
    const { conversation_id: id, seq } = message;
    if (seq === null) return;
    const conversation = this.#conversations.get(id);
    const isNew = conversation !== undefined && seq > conversation.last_seq;
    const stretch = this.#stretches.get(id);
    const items = stretch?.items ?? this.#early.get(id);
    const held = items?.find((item) => item.id === message.id);
    // One from before what is loaded would stand there with a hole behind it.
    const joins = !stretch || stretch.complete || seq >= (stretch.items[0]?.seq ?? 0);
    const changed = items && joins ? insert(items, message) : false;
    if (conversation) this.#touched?.add(id);
    if (conversation && changed && held?.state === "ready" && message.state === "deleted" && !held.playback?.played) {
      this.#countPlayed(conversation, held);
    }
    // What was heard of while it was spoken counts as a message from now on.
    if (conversation && held?.state === "recording" && message.state === "ready") this.#tell("stale", id);
    if (conversation) this.#noteLast(conversation, message, isNew);
    else this.#tell("stale", id);
    if (changed) this.#tell("messages", id);
    if (isNew && message.sender.id !== this.me && message.state !== "deleted") this.#tell("arrived", message);
  }

  /**
   * Where oneself is in a message. False when it is not loaded.
   * @param {string} messageId
   * @param {PlaybackSummary} playback
   */
  notePlayback(messageId, playback) {
    const held = this.message(messageId);
    if (!held) return false;
    const merged = newerPlayback(held.playback, playback);
    if (merged === held.playback) return true;
    this.#replace({ ...held, playback: merged });
    const conversation = this.#conversations.get(held.conversation_id);
    if (conversation && merged?.played && !held.playback?.played) this.#countPlayed(conversation, held);
    return true;
  }

  /**
   * One event of the socket or of `/v1/sync`.
   * @param {SocketEvent} event
   */
  apply(event) {
    const id = event.conversation_id ?? event.conversation?.id ?? event.message?.conversation_id;
    switch (event.type) {
      case "message.created":
      case "message.updated":
      case "message.deleted":
        return this.mergeMessage(event.message);
      case "conversation.created":
      case "conversation.updated":
        return event.conversation ? this.mergeConversation(event.conversation) : this.#tell("stale", id);
      case "member.left":
        if (event.user?.id === this.me) return this.removeConversation(id);
        return this.#tell("stale", id);
      case "member.joined":
        return this.#tell("stale", id);
      case "read.updated":
        return this.#mark(id, event.user?.id ?? "", "read_seq", event.seq);
      case "delivered.updated":
        return this.#mark(id, event.user?.id ?? "", "delivered_seq", event.seq);
      case "played":
        return this.#notePlayed(event.message_id, event.user);
    }
  }

  /**
   * Somebody played a message of one's own.
   * @param {string} messageId
   * @param {import("./types.js").User} user
   */
  #notePlayed(messageId, user) {
    const held = this.message(messageId);
    if (!held || held.played_by?.some(({ id }) => id === user.id)) return;
    this.#replace({ ...held, played_by: [...(held.played_by ?? []), user], played_count: (held.played_count ?? 0) + 1 });
  }

  /** @param {Message} message  of the same version */
  #replace(message) {
    const items = this.#stretches.get(message.conversation_id)?.items;
    const at = items?.findIndex(({ id }) => id === message.id) ?? -1;
    if (items && at >= 0) items[at] = message;
    this.#tell("messages", message.conversation_id);
  }

  /**
   * One less to be played.
   * @param {Conversation} conversation
   * @param {Message} message
   */
  #countPlayed(conversation, message) {
    if (message.sender.id === this.me || !conversation.unplayed_count) return;
    conversation.unplayed_count -= 1;
    this.#tell("conversations");
  }

  /**
   * Keeps the line in the list of conversations true.
   * @param {Conversation} conversation
   * @param {Message} message
   * @param {boolean} isNew
   */
  #noteLast(conversation, message, isNew) {
    const last = conversation.last_message;
    if (isNew) {
      conversation.last_seq = message.seq ?? conversation.last_seq;
      if (message.sender.id !== this.me) {
        conversation.unread_count = (conversation.unread_count ?? 0) + 1;
        if (message.state === "ready" && !message.playback?.played) conversation.unplayed_count = (conversation.unplayed_count ?? 0) + 1;
      }
    }
    const replaces = last && last.id === message.id ? message.version >= last.version : (message.seq ?? 0) > (last?.seq ?? 0);
    if (replaces) conversation.last_message = message;
    if (isNew || replaces) {
      this.#tell("conversation", conversation.id);
      this.#tell("conversations");
    }
  }

  /**
   * @param {string} id
   * @param {string} userId
   * @param {"read_seq" | "delivered_seq"} field
   * @param {number} seq
   */
  #mark(id, userId, field, seq) {
    const conversation = this.#conversations.get(id);
    const member = conversation?.members.find(({ user }) => user.id === userId);
    if (!conversation || !member || !(seq > member[field])) return;
    member[field] = seq;
    if (field === "read_seq" && member.delivered_seq < seq) member.delivered_seq = seq;
    if (field === "read_seq" && userId === this.me) {
      if (seq >= conversation.last_seq) conversation.unread_count = 0;
      else this.#tell("stale", id);
    }
    this.#tell("conversation", id);
    this.#tell("conversations");
  }

  /**
   * @param {string} type
   * @param {unknown} [detail]
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/**
 * How far a message of one's own has come: `sent`, `delivered` to everybody else, `read` by everybody else.
 * @param {Conversation} conversation
 * @param {Message} message
 * @param {string} me
 * @returns {"sent" | "delivered" | "read"}
 */
export function receipt(conversation, message, me) {
  const others = conversation.members.filter(({ user }) => user.id !== me);
  const seq = message.seq ?? Infinity;
  if (others.length === 0) return "sent";
  if (others.every(({ read_seq }) => read_seq >= seq)) return "read";
  return others.every(({ delivered_seq, read_seq }) => Math.max(delivered_seq, read_seq) >= seq) ? "delivered" : "sent";
}

/** @param {Conversation} conversation */
function lastActivity(conversation) {
  const last = conversation.last_message?.created_at;
  return last && last > conversation.created_at ? last : conversation.created_at;
}

/**
 * The newer of two states of a conversation. Marks never go back, and what only lists carry is kept.
 * @param {Conversation | undefined} held
 * @param {Conversation} came
 * @returns {Conversation}
 */
function newer(held, came) {
  if (!held) return came;
  const [base, other] = came.version < held.version ? [held, came] : [came, held];
  const members = base.members.map((member) => {
    const same = other.members.find(({ user }) => user.id === member.user.id);
    return {
      ...member,
      read_seq: Math.max(member.read_seq, same?.read_seq ?? 0),
      delivered_seq: Math.max(member.delivered_seq, same?.delivered_seq ?? 0),
    };
  });
  const lastOf = [came, held].map(({ last_message }) => last_message).filter((message) => message != null);
  const last = lastOf.reduce((/** @type {Message | null} */ a, b) => (a === null || precedes(a, b) ? b : a), null);
  return {
    ...base,
    members,
    last_seq: Math.max(held.last_seq, came.last_seq),
    last_message: last,
    unread_count: came.unread_count ?? held.unread_count,
    unplayed_count: came.unplayed_count ?? held.unplayed_count,
  };
}

/**
 * @param {Message} a
 * @param {Message} b
 */
function precedes(a, b) {
  return a.id === b.id ? a.version < b.version : (a.seq ?? 0) < (b.seq ?? 0);
}

/**
 * Puts a message in its place by `seq`, unless a newer version of it is there. Tells whether anything changed.
 * @param {Message[]} items
 * @param {Message} message
 */
function insert(items, message) {
  const seq = message.seq ?? 0;
  let at = items.length;
  while (at > 0 && (items[at - 1].seq ?? 0) > seq) at -= 1;
  const held = items[at - 1];
  if (held?.id !== message.id) {
    items.splice(at, 0, message);
    return true;
  }
  if (message.version < held.version) return false;
  const played = (held.played_count ?? 0) > (message.played_count ?? 0) ? held : message;
  items[at - 1] = {
    ...message,
    ...(held.playback || message.playback ? { playback: newerPlayback(held.playback, message.playback) } : {}),
    ...(played === held ? { played_by: held.played_by, played_count: held.played_count } : {}),
  };
  return true;
}

/**
 * Where oneself is changes without a new version of the message, so the newer of two values counts by itself; what was heard
 * only grows.
 * @param {PlaybackSummary | undefined} held
 * @param {PlaybackSummary | undefined} came
 */
function newerPlayback(held, came) {
  if (!held || !came) return held ?? came;
  const newest = came.version > held.version ? came : held;
  const heard_ms = Math.max(held.heard_ms, came.heard_ms);
  const played = held.played || came.played;
  return newest === held && heard_ms === held.heard_ms && played === held.played ? held : { ...newest, heard_ms, played };
}
