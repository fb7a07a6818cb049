-- What one client publishes on one topic. first_no: its first message ever. last_no, newest_at, newest_no: the highest number and the newest
-- message (0, 0 if that is gone) in complete runs, perhaps in the one that is being written too. kept_at, kept_no: the message that outlives its
-- age because it is the last. from_device: all its messages came from the device itself. No number is given twice: entries may outlive a stream.
CREATE TABLE streams (
  stream_no   INTEGER PRIMARY KEY AUTOINCREMENT,
  client_no   INTEGER NOT NULL REFERENCES clients,
  topic_no    INTEGER NOT NULL REFERENCES topics,
  from_device INTEGER NOT NULL,
  first_no    INTEGER NOT NULL,
  last_no     INTEGER NOT NULL DEFAULT 0,
  newest_at   INTEGER NOT NULL DEFAULT 0,
  newest_no   INTEGER NOT NULL DEFAULT 0,
  kept_at     INTEGER,
  kept_no     INTEGER
) STRICT;

CREATE TABLE messages_runs (
  run INTEGER NOT NULL,
  key INTEGER NOT NULL,                         -- stream_no
  at  INTEGER NOT NULL,                         -- published_at
  no  INTEGER NOT NULL,                         -- message_no
  PRIMARY KEY (run, key, at, no)
) STRICT, WITHOUT ROWID;

-- With newest_at: which runs a question about a time need not look into. 0 where the number alone gives the order.
ALTER TABLE runs ADD COLUMN oldest_at INTEGER NOT NULL DEFAULT 0;

-- Both tables are filled in the order of the old index, so that nothing has to be sorted.
INSERT INTO streams (client_no, topic_no, from_device, first_no, last_no)
SELECT client_no, topic_no, 1, min(message_no), max(message_no) FROM messages INDEXED BY messages_client GROUP BY client_no, topic_no ORDER BY client_no, topic_no;
CREATE UNIQUE INDEX streams_client ON streams (client_no, topic_no);
UPDATE streams SET from_device = 0 WHERE (client_no, topic_no) IN (SELECT client_no, topic_no FROM messages WHERE from_device = 0);
CREATE INDEX streams_topic ON streams (topic_no, from_device);

INSERT INTO messages_runs
SELECT (SELECT min(message_no) FROM messages), s.stream_no, m.published_at, m.message_no
FROM streams s CROSS JOIN messages m INDEXED BY messages_client ON m.client_no = s.client_no AND m.topic_no = s.topic_no;
INSERT INTO runs (name, run, last_no, newest_at, oldest_at)
SELECT 'messages', min(message_no), max(message_no), max(published_at), min(published_at) FROM messages INDEXED BY messages_time HAVING count(*) > 0;
UPDATE streams SET (newest_at, newest_no) = (
  SELECT at, no FROM messages_runs WHERE run = (SELECT min(message_no) FROM messages) AND key = stream_no ORDER BY at DESC, no DESC LIMIT 1);

-- Of the messages that outlived their age there is one in each stream, the newest. Others were left where a clock had run ahead: they go.
UPDATE streams SET kept_at = k.published_at, kept_no = k.message_no FROM (
  SELECT client_no, topic_no, published_at, message_no, row_number() OVER (PARTITION BY client_no, topic_no ORDER BY published_at DESC, message_no DESC) AS place
  FROM messages WHERE message_no <= (SELECT value FROM counters WHERE name = 'messages.edge')) k
WHERE k.place = 1 AND streams.client_no = k.client_no AND streams.topic_no = k.topic_no;
DELETE FROM deliveries WHERE message_no <= (SELECT value FROM counters WHERE name = 'messages.edge')
  AND message_no NOT IN (SELECT kept_no FROM streams WHERE kept_no IS NOT NULL);
DELETE FROM messages WHERE message_no <= (SELECT value FROM counters WHERE name = 'messages.edge')
  AND message_no NOT IN (SELECT kept_no FROM streams WHERE kept_no IS NOT NULL);
UPDATE counters SET value = (SELECT count(kept_no) FROM streams) WHERE name = 'messages.latest';
DELETE FROM topics WHERE NOT EXISTS (SELECT 1 FROM streams s WHERE s.topic_no = topics.topic_no);

DROP INDEX messages_topic;
DROP INDEX messages_client;
