-- Times are integer milliseconds since 1970 UTC. Names that stand in many rows (client ids, topics, event types) are stored once and
-- referred to by number.

-- Every client id that was ever named, devices or not (http_api, rules).
CREATE TABLE clients (
  client_no INTEGER PRIMARY KEY,
  client_id TEXT NOT NULL UNIQUE
) STRICT;

-- reversed: the levels in reverse order, so that a topic filter can be looked up by its end (`+/+/alarm`) as by its beginning.
CREATE TABLE topics (
  topic_no INTEGER PRIMARY KEY,
  topic    TEXT NOT NULL UNIQUE,
  reversed TEXT NOT NULL
) STRICT;
CREATE INDEX topics_reversed ON topics (reversed);

CREATE TABLE event_types (
  type_no INTEGER PRIMARY KEY,
  name    TEXT NOT NULL UNIQUE
) STRICT;

-- The highest numbers ever given (since 0013: of rows that were deleted), so that none is given twice when the newest rows are deleted: readers keep
-- them as positions. And others: see 0004 and 0012.
CREATE TABLE counters (
  name  TEXT PRIMARY KEY,                       -- journal, messages, …
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What changes when a device connects, disconnects or is described. status: 0 unknown, 1 online, 2 offline.
-- confidence: 0 confirmed, 1 inferred, 2 stale. last_reason: DisconnectReason in kebab-case.
CREATE TABLE devices (
  client_no         INTEGER PRIMARY KEY REFERENCES clients,
  client_id         TEXT NOT NULL,
  username          TEXT,
  name              TEXT,
  tags              TEXT NOT NULL DEFAULT '{}',
  message_interval  INTEGER,                    -- seconds
  first_seen_at     INTEGER NOT NULL,
  status            INTEGER NOT NULL,
  confidence        INTEGER NOT NULL,
  since             INTEGER,
  evidence          TEXT NOT NULL,
  last_online_at    INTEGER,
  last_offline_at   INTEGER,
  last_reason       TEXT,
  last_raw_reason   TEXT,
  flapping_until    INTEGER,
  session_count     INTEGER NOT NULL,
  subscription_count INTEGER NOT NULL,
  node              TEXT,                       -- of the live session or the last one, as all that follow
  connected_at      INTEGER,
  peer              TEXT,
  ip                TEXT,
  port              INTEGER,
  protocol          TEXT,
  protocol_version  TEXT,
  keep_alive        INTEGER,                    -- seconds
  clean_start       INTEGER,
  expiry            INTEGER,                    -- seconds
  more              TEXT
) STRICT;
CREATE UNIQUE INDEX devices_client_id ON devices (client_id);
CREATE INDEX devices_status       ON devices (status, client_id);
CREATE INDEX devices_connected_at ON devices (status, connected_at, client_no);
CREATE INDEX devices_first_seen   ON devices (first_seen_at, client_no);
CREATE INDEX devices_name         ON devices (name, client_id);
CREATE INDEX devices_node         ON devices (node, client_id);
CREATE INDEX devices_username     ON devices (username, client_id);
CREATE INDEX devices_ip           ON devices (ip, client_id) WHERE ip IS NOT NULL;
CREATE INDEX devices_reason       ON devices (last_reason) WHERE last_reason IS NOT NULL;
CREATE INDEX devices_flapping     ON devices (flapping_until) WHERE flapping_until IS NOT NULL;
CREATE INDEX devices_unsure       ON devices (confidence) WHERE confidence <> 0;

-- What changes with every message: small rows, apart from the rest of the device.
CREATE TABLE device_activity (
  client_no       INTEGER PRIMARY KEY REFERENCES devices,
  last_seen_at    INTEGER,
  last_message_at INTEGER,
  last_topic      TEXT,
  published       INTEGER NOT NULL,
  delivered       INTEGER NOT NULL,
  dropped         INTEGER NOT NULL,
  sign_at         INTEGER,
  sign_peer       TEXT,
  version         INTEGER NOT NULL,
  status          INTEGER NOT NULL              -- as in devices: "offline, last seen first" is one range of the index
) STRICT;
CREATE INDEX device_activity_last_seen ON device_activity (status, last_seen_at, client_no);

-- The ledger of connections. closed_*: as reported for this very session; end_*: as concluded from all facts.
CREATE TABLE sessions (
  session_no       INTEGER PRIMARY KEY,
  client_no        INTEGER NOT NULL REFERENCES devices,
  node             TEXT NOT NULL,
  connected_at     INTEGER NOT NULL,
  peer             TEXT,
  opened           INTEGER NOT NULL,
  time_is_arrival  INTEGER NOT NULL,
  username         TEXT,
  ip               TEXT,
  port             INTEGER,
  protocol         TEXT,
  protocol_version TEXT,
  keep_alive       INTEGER,
  clean_start      INTEGER,
  expiry           INTEGER,
  more             TEXT,
  closed_at        INTEGER,
  closed_reason    TEXT,
  closed_raw       TEXT,
  closed_expiry    INTEGER,
  end_at           INTEGER,
  end_reason       TEXT,
  end_raw          TEXT,
  ended_by         TEXT,                        -- event, superseded, reconciled, expired
  published_start  INTEGER NOT NULL,
  delivered_start  INTEGER NOT NULL,
  dropped_start    INTEGER NOT NULL,
  published_end    INTEGER,
  delivered_end    INTEGER,
  dropped_end      INTEGER
) STRICT;
CREATE UNIQUE INDEX sessions_key ON sessions (client_no, connected_at, node, coalesce(peer, ''));
CREATE INDEX sessions_time ON sessions (connected_at, session_no);
CREATE INDEX sessions_open ON sessions (connected_at, session_no) WHERE end_at IS NULL;

-- Reported ends that do not name their session. kind: 0 disconnected, 1 terminated. matched = 0: all that is known of a session.
CREATE TABLE farewells (
  farewell_no INTEGER PRIMARY KEY,
  client_no   INTEGER NOT NULL REFERENCES devices,
  kind        INTEGER NOT NULL,
  node        TEXT,
  peer        TEXT,
  at          INTEGER NOT NULL,
  reason      TEXT NOT NULL,
  raw_reason  TEXT,
  expiry      INTEGER,
  matched     INTEGER NOT NULL
) STRICT;
CREATE INDEX farewells_client ON farewells (client_no, at);
CREATE INDEX farewells_stray ON farewells (at, farewell_no) WHERE kind = 0 AND matched = 0;

-- A subscription is current while ends_at is null or ahead.
CREATE TABLE subscriptions (
  client_no         INTEGER NOT NULL REFERENCES devices,
  filter            TEXT NOT NULL,
  qos               INTEGER NOT NULL,
  no_local          INTEGER,
  retain_as_published INTEGER,
  retain_handling   INTEGER,
  subscribed_at     INTEGER,
  unsubscribed_at   INTEGER,
  made_in_node      TEXT,
  made_in_at        INTEGER,
  ends_at           INTEGER,
  ended_by          TEXT,
  end_told          INTEGER NOT NULL DEFAULT 0,  -- the journal holds its end
  PRIMARY KEY (client_no, filter)
) STRICT, WITHOUT ROWID;
CREATE INDEX subscriptions_end ON subscriptions (ends_at) WHERE ends_at IS NOT NULL;

-- kind: 0 text, 1 binary, 2 lossy. status: 0 published, 1 dropped, 2 delivered, 3 acked.
CREATE TABLE messages (
  message_no   INTEGER PRIMARY KEY,
  id           BLOB NOT NULL,                   -- 16 bytes, big endian
  client_no    INTEGER NOT NULL REFERENCES clients,
  topic_no     INTEGER NOT NULL REFERENCES topics,
  qos          INTEGER NOT NULL,
  retain       INTEGER NOT NULL,
  published_at INTEGER NOT NULL,
  received_at  INTEGER NOT NULL,
  publish_seen INTEGER NOT NULL,
  from_device  INTEGER NOT NULL,
  status       INTEGER NOT NULL,
  kind         INTEGER NOT NULL,
  payload      BLOB NOT NULL,
  username     TEXT,
  properties   TEXT,
  dropped_at   INTEGER,
  drop_reason  TEXT
) STRICT;
CREATE UNIQUE INDEX messages_id ON messages (id);
CREATE INDEX messages_time   ON messages (published_at);
CREATE INDEX messages_topic  ON messages (topic_no, published_at);
CREATE INDEX messages_client ON messages (client_no, topic_no, published_at);

CREATE TABLE deliveries (
  message_no   INTEGER NOT NULL REFERENCES messages,
  client_no    INTEGER NOT NULL REFERENCES clients,
  delivered_at INTEGER,
  acked_at     INTEGER,
  dropped_at   INTEGER,
  drop_reason  TEXT,
  redelivered  INTEGER NOT NULL,
  PRIMARY KEY (message_no, client_no)
) STRICT, WITHOUT ROWID;

-- Every domain event once, in commit order. data: what the event says beyond client, time and message, as a JSON object.
CREATE TABLE journal (
  seq        INTEGER PRIMARY KEY,
  type_no    INTEGER NOT NULL REFERENCES event_types,
  at         INTEGER NOT NULL,
  client_no  INTEGER,
  message_no INTEGER,
  data       TEXT,
  key        BLOB                               -- of reports that can repeat: 16 bytes, time first
) STRICT;
CREATE INDEX journal_client ON journal (client_no, seq) WHERE client_no IS NOT NULL;
CREATE UNIQUE INDEX journal_key ON journal (key) WHERE key IS NOT NULL;

CREATE TABLE quarantine (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  received_at     INTEGER NOT NULL,
  source          TEXT NOT NULL,
  code            TEXT NOT NULL,
  reason          TEXT NOT NULL,
  parameter       TEXT,
  content_type    TEXT,
  body            BLOB NOT NULL,
  truncated       INTEGER NOT NULL,
  attempts        INTEGER NOT NULL DEFAULT 0,
  last_attempt_at INTEGER
) STRICT;
