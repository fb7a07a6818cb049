-- What changes of a device with every message is appended here, and moved to device_activity once a second, sorted. version: 0 when the
-- device was deleted, which makes earlier rows void; a row speaks where its version is higher than that of device_activity. rests_on: the
-- version of device_activity when the device last changed in more than this.
CREATE TABLE activity_log (
  no              INTEGER PRIMARY KEY,
  rests_on        INTEGER NOT NULL,
  client_no       INTEGER NOT NULL,
  last_seen_at    INTEGER,
  last_message_at INTEGER,
  last_topic      TEXT,
  published       INTEGER NOT NULL,
  delivered       INTEGER NOT NULL,
  dropped         INTEGER NOT NULL,
  sign_at         INTEGER,
  sign_peer       TEXT,
  version         INTEGER NOT NULL,
  status          INTEGER NOT NULL
) STRICT;

-- Both together, for whoever looks into the file.
CREATE VIEW activity AS
WITH newest AS MATERIALIZED (SELECT * FROM activity_log WHERE no IN (SELECT max(no) FROM activity_log GROUP BY client_no))
SELECT l.client_no, l.last_seen_at, l.last_message_at, l.last_topic, l.published, l.delivered, l.dropped, l.sign_at, l.sign_peer, l.version, l.status
FROM newest l JOIN device_activity a ON a.client_no = l.client_no AND a.version < l.version
UNION ALL
SELECT a.client_no, a.last_seen_at, a.last_message_at, a.last_topic, a.published, a.delivered, a.dropped, a.sign_at, a.sign_peer, a.version, a.status
FROM device_activity a LEFT JOIN newest l ON l.client_no = a.client_no AND l.version > a.version WHERE l.no IS NULL;
