-- The counters of journal, messages and downlinks are no more written with each transaction: the highest number given is that of the newest row, and is noted
-- where that is deleted. A table that is made anew some day needs its trigger anew.
CREATE TRIGGER journal_numbered AFTER DELETE ON journal WHEN OLD.seq > coalesce((SELECT max(seq) FROM journal), 0) BEGIN
  INSERT INTO counters (name, value) VALUES ('journal', OLD.seq) ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value);
END;
CREATE TRIGGER messages_numbered AFTER DELETE ON messages WHEN OLD.message_no > coalesce((SELECT max(message_no) FROM messages), 0) BEGIN
  INSERT INTO counters (name, value) VALUES ('messages', OLD.message_no) ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value);
END;
CREATE TRIGGER downlinks_numbered AFTER DELETE ON downlinks WHEN OLD.downlink_no > coalesce((SELECT max(downlink_no) FROM downlinks), 0) BEGIN
  INSERT INTO counters (name, value) VALUES ('downlinks', OLD.downlink_no) ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value);
END;
