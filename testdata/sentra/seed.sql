-- Made-up rows: four clients and ten events, two or more of each type, past and upcoming. Ids are fixed, dates are
-- reckoned from the day the seed is loaded. The credentials are bait: they must never show up outside this table.
-- No row carries the marker of an appointment booked in GHL, so every onboarding and handover event may be sent.

INSERT INTO clients (id, name, business_name, email, phone, username, password, city, country, package, total_amount) VALUES
    (1, 'Client 1', 'Business 1', 'client1@example.com', '+15550100001', 'bait-user-1', 'bait-password-1', 'Town 1', 'Country 1', 'basic', 1000),
    -- No phone.
    (2, 'Client 2', 'Business 2', 'client2@example.com', NULL, 'bait-user-2', 'bait-password-2', NULL, NULL, 'basic', 1500),
    -- No business name: the payload falls back on the contact's.
    (3, 'Client 3', '', 'client3@example.com', '+15550100003', 'bait-user-3', 'bait-password-3', 'Town 3', 'Country 3', 'full', 2500),
    -- No event in scope.
    (4, 'Client 4', 'Business 4', 'client4@example.com', '', 'bait-user-4', 'bait-password-4', NULL, 'Country 4', 'full', 0);

SELECT setval('clients_id_seq', 4);

INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, description, type) VALUES
    ('event-1700000001.000001', 1, 'Onboarding 1', CURRENT_DATE - 20, CURRENT_DATE - 20, '10:00', '11:00', 'Past onboarding', 'onboarding'),
    ('event-1700000002.000002', 1, 'First draft 1', CURRENT_DATE - 10, CURRENT_DATE - 10, '09:30', '10:00', 'Past first draft', 'firstdraft'),
    ('event-1700000003.000003', 1, 'Second draft 1', CURRENT_DATE + 3, CURRENT_DATE + 3, '14:00', '15:00', NULL, 'seconddraft'),
    ('event-1700000004.000004', 1, 'Handover 1', CURRENT_DATE + 10, CURRENT_DATE + 10, '16:00', '17:30', 'Upcoming handover', 'handover'),
    ('event-1700000005.000005', 2, 'Onboarding 2', CURRENT_DATE + 1, CURRENT_DATE + 1, '08:15', '09:00', NULL, 'onboarding'),
    ('event-1700000006.000006', 2, 'First draft 2', CURRENT_DATE + 8, CURRENT_DATE + 8, '13:00', '13:45', '', 'firstdraft'),
    ('event-1700000007.000007', 3, 'Handover 3', CURRENT_DATE - 2, CURRENT_DATE - 1, '23:00', '01:00', 'Past handover across midnight', 'handover'),
    ('event-1700000008.000008', 3, 'Onboarding 3', CURRENT_DATE + 5, CURRENT_DATE + 5, '11:00', '12:00', '', 'onboarding'),
    ('event-1700000009.000009', 4, 'First draft 4', CURRENT_DATE + 6, CURRENT_DATE + 6, '10:00', '10:30', 'Upcoming first draft', 'firstdraft'),
    ('event-1700000010.000010', 4, 'Second draft 4', CURRENT_DATE + 12, CURRENT_DATE + 12, '10:00', '10:30', 'Upcoming second draft', 'seconddraft');
