-- alive_until: of an end that nobody saw (ended_by reconciled, expired), when the session was last known to live. coarse: connected_at is
-- known to the second. listed_at: the newest moment at which the broker's own list had the session, where that was news.
ALTER TABLE sessions ADD COLUMN alive_until INTEGER;
ALTER TABLE sessions ADD COLUMN coarse INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN listed_at INTEGER;

-- kind: also 2 absent (the broker, asked, knew no connection), 3 given up.
ALTER TABLE farewells ADD COLUMN alive_until INTEGER;

-- What is left to time. fresh_confidence: the confidence apart from staleness. gone_at: the newest moment known without a connection.
ALTER TABLE devices ADD COLUMN fresh_confidence INTEGER NOT NULL DEFAULT 1;
ALTER TABLE devices ADD COLUMN gone_at INTEGER;
ALTER TABLE devices ADD COLUMN offline_confirmed_at INTEGER;
ALTER TABLE devices ADD COLUMN verify_at INTEGER;
ALTER TABLE devices ADD COLUMN lapsed_takeover INTEGER;
ALTER TABLE devices ADD COLUMN subscription_ends_at INTEGER;
ALTER TABLE devices ADD COLUMN stale_at INTEGER;
ALTER TABLE devices ADD COLUMN alive_until INTEGER;     -- of a stale device
ALTER TABLE devices ADD COLUMN silent INTEGER NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN flapping INTEGER NOT NULL DEFAULT 0;
UPDATE devices SET fresh_confidence = confidence, gone_at = CASE status WHEN 2 THEN since END,
  subscription_ends_at = (SELECT min(ends_at) FROM subscriptions s WHERE s.client_no = devices.client_no AND s.end_told = 0);

-- When each device is to be looked at: the earliest of what is due. The worker's cost is what is due, not the size of the fleet.
CREATE TABLE deadlines (
  client_no INTEGER PRIMARY KEY REFERENCES devices,
  due_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX deadlines_due ON deadlines (due_at);
INSERT INTO deadlines SELECT client_no, 0 FROM devices;

-- What the service has to remember of itself, such as the rules that the deadlines were made by.
CREATE TABLE settings (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Comparisons with a broker's client list. cause, result: words of SweepTrigger and SweepResult.
CREATE TABLE reconciliations (
  reconciliation_no INTEGER PRIMARY KEY,
  broker            TEXT NOT NULL,
  cause             TEXT NOT NULL,
  result            TEXT NOT NULL,
  started_at        INTEGER NOT NULL,
  finished_at       INTEGER,
  scanned           INTEGER NOT NULL,
  discovered        INTEGER NOT NULL,
  corrected_online  INTEGER NOT NULL,
  corrected_offline INTEGER NOT NULL,
  confirmed         INTEGER NOT NULL,
  verified          INTEGER NOT NULL,
  held              INTEGER NOT NULL,
  problem           TEXT
) STRICT;

-- The nodes that reports came from. dialect: a word of Dialect.
CREATE TABLE broker_nodes (
  node     TEXT PRIMARY KEY,
  dialect  TEXT NOT NULL,
  since    INTEGER NOT NULL,
  heard_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
