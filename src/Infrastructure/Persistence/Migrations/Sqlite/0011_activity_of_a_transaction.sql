-- The log takes a row for each transaction now, not for each device that it changed: entries is a JSON array with an array for each of them, in the
-- order of logged_activity below. What the log holds is moved first, as the service would do it.
INSERT INTO device_activity
SELECT client_no, last_seen_at, last_message_at, last_topic, published, delivered, dropped, sign_at, sign_peer, version, status
FROM activity_log WHERE version > 0 AND no IN (SELECT max(no) FROM activity_log GROUP BY client_no)
ON CONFLICT (client_no) DO UPDATE SET
  last_seen_at = excluded.last_seen_at, last_message_at = excluded.last_message_at, last_topic = excluded.last_topic,
  published = excluded.published, delivered = excluded.delivered, dropped = excluded.dropped,
  sign_at = excluded.sign_at, sign_peer = excluded.sign_peer, version = excluded.version, status = excluded.status
WHERE excluded.version > device_activity.version;

DROP VIEW activity;
DROP TABLE activity_log;
CREATE TABLE activity_log (
  no      INTEGER PRIMARY KEY,
  entries TEXT NOT NULL
) STRICT;

-- What the entries mean. version: 0 when the device was deleted, which makes earlier ones void; an entry speaks where its version is higher than that of
-- device_activity. rests_on: the version of device_activity when the device last changed in more than this.
CREATE VIEW logged_activity AS
SELECT l.no, e.key AS place, e.value ->> 0 AS client_no, e.value ->> 1 AS rests_on, e.value ->> 2 AS last_seen_at, e.value ->> 3 AS last_message_at,
  e.value ->> 4 AS last_topic, e.value ->> 5 AS published, e.value ->> 6 AS delivered, e.value ->> 7 AS dropped, e.value ->> 8 AS sign_at,
  e.value ->> 9 AS sign_peer, e.value ->> 10 AS version, e.value ->> 11 AS status
FROM activity_log l, json_each(l.entries) e;

-- Both together, for whoever looks into the file.
CREATE VIEW activity AS
WITH logged AS (SELECT *, row_number() OVER (PARTITION BY client_no ORDER BY no DESC, place DESC) AS age FROM logged_activity),
  newest AS MATERIALIZED (SELECT * FROM logged WHERE age = 1)
SELECT l.client_no, l.last_seen_at, l.last_message_at, l.last_topic, l.published, l.delivered, l.dropped, l.sign_at, l.sign_peer, l.version, l.status
FROM newest l JOIN device_activity a ON a.client_no = l.client_no AND a.version < l.version
UNION ALL
SELECT a.client_no, a.last_seen_at, a.last_message_at, a.last_topic, a.published, a.delivered, a.dropped, a.sign_at, a.sign_peer, a.version, a.status
FROM device_activity a LEFT JOIN newest l ON l.client_no = a.client_no AND l.version > a.version WHERE l.no IS NULL;
