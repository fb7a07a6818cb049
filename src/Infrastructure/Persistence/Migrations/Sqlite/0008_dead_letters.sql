-- An event is a dead letter of a handler once, however often it was replayed: the newest failure counts.
DELETE FROM dead_letters WHERE id NOT IN (SELECT max(id) FROM dead_letters GROUP BY consumer, seq);
CREATE UNIQUE INDEX dead_letters_event ON dead_letters (consumer, seq);

-- Looked for whenever a dead letter goes, among all that is pending or raised.
CREATE INDEX notices_dead_letters ON notices (subject) WHERE kind = 'dead-letter' AND state <> 0;

-- Clear ones are kept for what they know of the journal, and go with it.
CREATE INDEX notices_clear ON notices (told_seq) WHERE state = 0;
