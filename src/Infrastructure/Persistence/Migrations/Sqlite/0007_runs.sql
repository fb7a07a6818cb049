-- Indexes that are written in bulk: a run holds the entries of many rows in a row, sorted. at: 0 where the number alone gives the order.
-- runs: those that are complete. All rows up to the highest last_no are in one; for the others the service keeps the entries in memory.
CREATE TABLE runs (
  name      TEXT NOT NULL,                      -- journal
  run       INTEGER NOT NULL,                   -- the lowest number in it
  last_no   INTEGER NOT NULL,
  newest_at INTEGER NOT NULL,
  PRIMARY KEY (name, run)
) STRICT, WITHOUT ROWID;

CREATE TABLE journal_runs (
  run INTEGER NOT NULL,
  key INTEGER NOT NULL,                         -- client_no
  at  INTEGER NOT NULL,
  no  INTEGER NOT NULL,                         -- seq
  PRIMARY KEY (run, key, at, no)
) STRICT, WITHOUT ROWID;

DROP INDEX journal_client;
INSERT INTO journal_runs SELECT (SELECT min(seq) FROM journal), client_no, 0, seq FROM journal WHERE client_no IS NOT NULL ORDER BY client_no, seq;
INSERT INTO runs SELECT 'journal', min(seq), max(seq), 0 FROM journal HAVING count(*) > 0;
