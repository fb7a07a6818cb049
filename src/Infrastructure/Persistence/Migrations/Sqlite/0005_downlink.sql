-- Messages from us to one device. status: a word of DownlinkStatus; answer: of PublishResult; match: of DownlinkMatch. given_id: the id in the broker's
-- answer; recorded_id: that of the message as its reports name it. Both are 16 bytes, big endian.
CREATE TABLE downlinks (
  downlink_no    INTEGER PRIMARY KEY,
  client_no      INTEGER NOT NULL REFERENCES clients,
  key            TEXT UNIQUE,
  broker         TEXT NOT NULL,
  topic          TEXT NOT NULL,
  qos            INTEGER NOT NULL,
  retain         INTEGER NOT NULL,
  kind           INTEGER NOT NULL,                -- of the payload, as in messages
  payload        BLOB NOT NULL,
  expiry         INTEGER,                         -- seconds
  timeout        INTEGER NOT NULL,                -- ms
  properties     TEXT,
  accepted_at    INTEGER NOT NULL,
  answer         TEXT,
  answered_at    INTEGER,
  problem        TEXT,
  given_id       BLOB,
  recorded_id    BLOB,
  match          TEXT,
  delivered_at   INTEGER,
  acked_at       INTEGER,
  dropped_at     INTEGER,
  drop_reason    TEXT,
  timed_out_at   INTEGER,
  expects_no_ack INTEGER NOT NULL,
  status         TEXT NOT NULL,
  finished       INTEGER NOT NULL,
  due_at         INTEGER                          -- null when nothing is due any more
) STRICT;
CREATE INDEX downlinks_client     ON downlinks (client_no, downlink_no);
CREATE INDEX downlinks_given      ON downlinks (given_id) WHERE given_id IS NOT NULL;
CREATE INDEX downlinks_recorded   ON downlinks (recorded_id) WHERE recorded_id IS NOT NULL;
CREATE INDEX downlinks_unreported ON downlinks (topic, downlink_no) WHERE recorded_id IS NULL;
CREATE INDEX downlinks_unanswered ON downlinks (downlink_no) WHERE answer IS NULL;
CREATE INDEX downlinks_due        ON downlinks (due_at) WHERE due_at IS NOT NULL;

-- With which the receiver got it; null where no delivery was reported, or before this column was.
ALTER TABLE deliveries ADD COLUMN qos INTEGER;
