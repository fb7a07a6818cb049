-- Of an end that nobody saw (ended_by reconciled, expired): when the session was last known to live.
ALTER TABLE sessions ADD COLUMN alive_until INTEGER;
