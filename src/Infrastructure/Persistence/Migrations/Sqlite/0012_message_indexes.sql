-- Messages are found by id and by time in tables of their own, which are written some time after the messages, many at once: an index of SQLite changes pages
-- with each transaction. Messages with a number beyond the counter 'messages.indexed' are in neither of them yet. See decision 0017.
CREATE TABLE messages_by_id (
  id         BLOB PRIMARY KEY,
  message_no INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE messages_by_time (
  published_at INTEGER NOT NULL,
  message_no   INTEGER NOT NULL,
  PRIMARY KEY (published_at, message_no)
) STRICT, WITHOUT ROWID;

-- In the order of the indexes that were, so that nothing has to be sorted.
INSERT INTO messages_by_id SELECT id, message_no FROM messages INDEXED BY messages_id ORDER BY id;
INSERT INTO messages_by_time SELECT published_at, message_no FROM messages INDEXED BY messages_time ORDER BY published_at, message_no;
INSERT INTO counters (name, value) SELECT 'messages.indexed', max(message_no) FROM messages HAVING count(*) > 0;
DROP INDEX messages_id;
DROP INDEX messages_time;

CREATE TRIGGER messages_gone AFTER DELETE ON messages BEGIN
  DELETE FROM messages_by_id WHERE id = OLD.id AND message_no = OLD.message_no;
  DELETE FROM messages_by_time WHERE published_at = OLD.published_at AND message_no = OLD.message_no;
END;

CREATE TRIGGER messages_moved AFTER UPDATE OF id, published_at ON messages
WHEN OLD.message_no <= (SELECT value FROM counters WHERE name = 'messages.indexed') BEGIN
  DELETE FROM messages_by_id WHERE id = OLD.id AND message_no = OLD.message_no;
  DELETE FROM messages_by_time WHERE published_at = OLD.published_at AND message_no = OLD.message_no;
  INSERT INTO messages_by_id VALUES (NEW.id, NEW.message_no);
  INSERT INTO messages_by_time VALUES (NEW.published_at, NEW.message_no);
END;
