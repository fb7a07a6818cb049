-- Which numbers had been given by when, by the service's own clock: from this, and not from what events say of themselves, retention knows how
-- old rows are. Numbers grow with time in each kind.
CREATE TABLE retention_marks (
  kind   TEXT NOT NULL,
  at     INTEGER NOT NULL,
  number INTEGER NOT NULL,
  PRIMARY KEY (kind, at)
) STRICT, WITHOUT ROWID;

-- What is here already came in at about the times that 500 samples of it tell, none of them ahead of now.
INSERT OR IGNORE INTO retention_marks
WITH RECURSIVE ends (first, last) AS (SELECT (SELECT min(seq) FROM journal), (SELECT max(seq) FROM journal)),
  sample (no) AS (SELECT first FROM ends WHERE first IS NOT NULL UNION ALL SELECT no + (last - first) / 500 + 1 FROM sample, ends WHERE no < last)
SELECT 'journal', max(at) OVER (ORDER BY seq), seq FROM sample JOIN journal ON seq = no WHERE at <= unixepoch('subsec') * 1000 ORDER BY seq;

INSERT OR IGNORE INTO retention_marks
WITH RECURSIVE ends (first, last) AS (SELECT (SELECT min(message_no) FROM messages), (SELECT max(message_no) FROM messages)),
  sample (no) AS (SELECT first FROM ends WHERE first IS NOT NULL UNION ALL SELECT no + (last - first) / 500 + 1 FROM sample, ends WHERE no < last)
SELECT 'messages', max(received_at) OVER (ORDER BY message_no), message_no FROM sample JOIN messages ON message_no = no
WHERE received_at <= unixepoch('subsec') * 1000 ORDER BY message_no;

INSERT OR IGNORE INTO retention_marks
SELECT 'quarantine', max(received_at) OVER (ORDER BY id), id FROM quarantine WHERE received_at <= unixepoch('subsec') * 1000 ORDER BY id;

INSERT OR IGNORE INTO retention_marks
SELECT 'dead-letters', max(failed_at) OVER (ORDER BY id), id FROM dead_letters WHERE failed_at <= unixepoch('subsec') * 1000 ORDER BY id;

-- counters also holds messages.edge (all messages up to that number were judged; those of them that are here are the last of their device and
-- topic) and messages.latest (how many these are).
