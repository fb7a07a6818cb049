-- What a rule says of a subject. kind: words of NoticeKind. state: 0 clear, 1 pending, 2 raised. subject: a client id or the name of a handler.
-- topic: of a value, else empty. told_at, told_seq: the newest fact, by which late and repeated ones are known.
CREATE TABLE notices (
  notice_no INTEGER PRIMARY KEY,
  rule      TEXT NOT NULL,
  kind      TEXT NOT NULL,
  subject   TEXT NOT NULL,
  topic     TEXT NOT NULL,
  state     INTEGER NOT NULL,
  since     INTEGER,
  due_at    INTEGER,
  raised_at INTEGER,
  why       TEXT,
  value     REAL,
  told_at   INTEGER NOT NULL,
  told_seq  INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX notices_key ON notices (rule, subject, topic);
CREATE INDEX notices_subject ON notices (subject);
CREATE INDEX notices_due ON notices (due_at, rule) WHERE due_at IS NOT NULL;
CREATE INDEX notices_current ON notices (since, notice_no) WHERE state <> 0;

-- What goes to a target: its messages in the present minute, and the notices that wait for the next one as a JSON array.
CREATE TABLE notice_outboxes (
  target       TEXT PRIMARY KEY,
  began        INTEGER,
  sent         INTEGER NOT NULL,
  waiting      TEXT NOT NULL,
  more_raised  INTEGER NOT NULL,
  more_cleared INTEGER NOT NULL,
  due_at       INTEGER
) STRICT, WITHOUT ROWID;
