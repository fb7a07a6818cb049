-- Who follows the journal, and how far it came: all events up to position are done, parked or dead letters.
CREATE TABLE consumers (
  name          TEXT PRIMARY KEY,
  position      INTEGER NOT NULL,
  paused        INTEGER NOT NULL,
  replay_until  INTEGER,
  handled       INTEGER NOT NULL,
  missed        INTEGER NOT NULL,                -- removed by retention before they were read
  last_error    TEXT,
  last_error_at INTEGER
) STRICT, WITHOUT ROWID;

-- Events that failed and are tried again, and those of the same client that wait behind them (attempts = 0).
CREATE TABLE parked_events (
  consumer TEXT NOT NULL REFERENCES consumers,
  seq      INTEGER NOT NULL,
  client   TEXT,
  attempts INTEGER NOT NULL,
  next_at  INTEGER NOT NULL,
  replay   INTEGER NOT NULL,
  PRIMARY KEY (consumer, seq)
) STRICT, WITHOUT ROWID;

-- Events that failed for the last time, with what they said: they outlive the journal.
CREATE TABLE dead_letters (
  id        INTEGER PRIMARY KEY AUTOINCREMENT,
  consumer  TEXT NOT NULL,
  seq       INTEGER NOT NULL,
  type      TEXT NOT NULL,
  at        INTEGER NOT NULL,
  client    TEXT,
  attempts  INTEGER NOT NULL,
  reason    TEXT NOT NULL,
  detail    TEXT NOT NULL,
  failed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX dead_letters_consumer ON dead_letters (consumer, id);
