-- A later migration of Sentra's: some installs have this column, some do not.
ALTER TABLE calendar_events ADD COLUMN ghl_appointment_id VARCHAR(255);
