-- Sentra's two tables as the daemon meets them: row level security on, update triggers, a CHECK that the app re-creates.
-- Nothing here belongs to ghlsync. The column that only some installs have is in ghl_appointment_id.sql.

-- The hosting platform's role for signed-in users. Roles are shared by all databases of a server, so it may be there
-- already, or be created by a neighbour at this very moment.
DO $$
BEGIN
    CREATE ROLE authenticated NOLOGIN;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN
        NULL;
END
$$;

CREATE TABLE clients (
    id              SERIAL PRIMARY KEY,
    name            TEXT NOT NULL,
    business_name   TEXT NOT NULL,
    email           TEXT UNIQUE NOT NULL,
    phone           TEXT,
    status          TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'inactive', 'completed')),
    username        TEXT UNIQUE NOT NULL,
    password        TEXT NOT NULL,
    address         TEXT,
    city            TEXT,
    region          TEXT,
    postal_code     TEXT,
    country         TEXT,
    website         TEXT,
    package         TEXT,
    notes           TEXT,
    total_amount    NUMERIC(10, 2) NOT NULL DEFAULT 0,
    paid_amount     NUMERIC(10, 2) NOT NULL DEFAULT 0,
    payment_terms   INTEGER NOT NULL DEFAULT 1,
    current_step    INTEGER NOT NULL DEFAULT 0,
    last_activity   TIMESTAMPTZ,
    created_at      TIMESTAMPTZ DEFAULT NOW(),
    updated_at      TIMESTAMPTZ DEFAULT NOW()
);

CREATE TABLE calendar_events (
    -- One default per microsecond: two rows of one transaction need ids of their own.
    id              TEXT PRIMARY KEY DEFAULT 'event-' || EXTRACT(EPOCH FROM NOW())::TEXT,
    client_id       INTEGER NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    title           TEXT NOT NULL,
    start_date      DATE NOT NULL,
    end_date        DATE NOT NULL,
    start_time      TIME NOT NULL,
    end_time        TIME NOT NULL,
    description     TEXT,
    type            TEXT NOT NULL,
    created_at      TIMESTAMPTZ DEFAULT NOW(),
    updated_at      TIMESTAMPTZ DEFAULT NOW(),
    CONSTRAINT calendar_events_type_check CHECK (type IN ('onboarding', 'firstdraft', 'seconddraft', 'handover'))
);

CREATE INDEX calendar_events_client_id_idx ON calendar_events (client_id);
CREATE INDEX calendar_events_start_date_idx ON calendar_events (start_date);

CREATE FUNCTION update_updated_at_column() RETURNS TRIGGER
    LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at = NOW();
    RETURN NEW;
END
$$;

CREATE TRIGGER update_clients_updated_at
    BEFORE UPDATE ON clients
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_calendar_events_updated_at
    BEFORE UPDATE ON calendar_events
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

-- A role without BYPASSRLS, other than authenticated, sees no row of either table and gets no error.
ALTER TABLE clients ENABLE ROW LEVEL SECURITY;
ALTER TABLE calendar_events ENABLE ROW LEVEL SECURITY;

CREATE POLICY clients_authenticated ON clients
    FOR ALL TO authenticated USING (true) WITH CHECK (true);

CREATE POLICY calendar_events_authenticated ON calendar_events
    FOR ALL TO authenticated USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON clients, calendar_events TO authenticated;
GRANT USAGE ON SEQUENCE clients_id_seq TO authenticated;
