CREATE TABLE orders (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    customer TEXT NOT NULL,
    status TEXT NOT NULL,
    lines TEXT NOT NULL,  -- JSON
    charge TEXT NOT NULL,
    reservation TEXT NOT NULL,
    placed TEXT NOT NULL
);
CREATE INDEX by_status ON orders (status);
INSERT INTO orders VALUES
(37, 'c-1', 'closed', '[{"sku":"TEA-001","quantity":1,"price":1290}]', 'ch-37', 'r-37', '2026-01-12T09:14:03Z'),
(38, 'c-2', 'closed', '[{"sku":"BOK-001","quantity":2,"price":950}]', 'ch-38', 'r-38', '2026-02-02T17:40:51Z'),
(39, 'c-3', 'cancelled', '[{"sku":"POT-001","quantity":1,"price":6900}]', 'ch-39', 'r-39', '2026-02-09T11:02:19Z'),
(40, 'c-1', 'closed', '[{"sku":"TEA-003","quantity":3,"price":690}]', 'ch-40', 'r-40', '2026-03-21T08:30:00Z'),
(41, 'c-4', 'open', '[{"sku":"POT-002","quantity":4,"price":1800}]', 'ch-41', 'r-41', '2026-04-01T12:00:42Z'),
(42, 'c-2', 'open', '[{"sku":"TEA-002","quantity":1,"price":1450},{"sku":"POT-002","quantity":1,"price":1800}]',
 'ch-42', 'r-42', '2026-04-02T07:55:27Z');
