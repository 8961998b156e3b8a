"""Word lists of our own, of which names, purposes and a bank's own texts are made."""

from __future__ import annotations


def _words(*rows: str) -> tuple[str, ...]:
    return tuple(word for row in rows for word in row.split())


FIRST_NAMES = _words(
    "Agnes Albert Amelie Andrea Anton Ariane Beatriz Boris Carla Cedric Clara Dario Denise Dimitri",
    "Edda Elena Emil Erik Fabienne Felix Fiona Georg Greta Hannes Helga Hugo Ida Igor Ines Jana Jonas",
    "Judith Karim Katja Klara Lasse Laura Leon Lina Luca Magda Marek Marta Mia Mirko Nadia Nils Nora",
    "Olga Oskar Paula Pavel Petra Quentin Rafael Rita Ruben Sabine Samir Selma Simon Sofia Sven",
    "Tamara Theo Tilda Ulrich Ursula Vera Viktor Wanda Yara",
)
LAST_NAMES = _words(
    "Abendroth Adler Aumann Bach Baumgart Becker Bergström Böhm Brandt Busch Castellani Czerny",
    "Dietrich Dubois Ebert Eklund Falk Feldmann Fischer Frei Gärtner Glaser Grünwald Haas Hartmann",
    "Hedlund Heller Hoffmann Horvat Huber Ivanek Jansen Jäger Kaiser Keller Klein Kofler Köhler Kowal",
    "Krüger Lang Lehmann Lindqvist Lorenz Maier Marchetti Meier Merz Moreau Möller Nagel Neumann",
    "Novak Oberhauser Olsen Pavlik Pereira Pfeiffer Pichler Popov Radić Reuter Richter Rossi Roth",
    "Sander Schäfer Schreiber Schubert Seidel Sommer Stein Straub Tanaka Thaler Uhlig Urban Vogel",
    "Wagner Weber Weiss Winkler Wolf Zeller Ziegler",
)
COMPANY_WORDS = _words(
    "Alpenblick Amberg Arktis Atlas Auen Baltic Birkenhof Blaufeld Bergkristall Cobalt Cumulus",
    "Delphin Donau Eiche Eisvogel Elbtal Falkenstein Fjord Flora Freiwald Gletscher Granit Habicht",
    "Hafen Halde Heide Horizont Isar Jaspis Jura Kamin Kastanie Kiesel Kompass Kranich Lagune",
    "Lavendel Lotus Magnolia Marmor Meridian Morgenrot Neckar Nordlicht Oase Opal Orion Pappel Passat",
    "Pinie Polar Quarz Quelle Rheinufer Robinia Saphir Schiefer Seerose Silber Sonnberg Sturmvogel",
    "Talweg Terra Topas Ulme Vega Violett Waldsee Weide Westwind Zeder Zenit",
)
COMPANY_FIELDS = _words(
    "Bau Beratung Chemie Data Design Druck Energie Farben Feinkost Getränke Glas Handel Holz",
    "Hydraulik Immobilien Kunststoff Labor Logistik Maschinen Media Medizin Metall Möbel Optik Papier",
    "Pharma Pumpen Reisen Saatgut Software Stahl Technik Textil Transport Verlag Werkzeug",
)
LEGAL_FORMS = ("GmbH", "AG", "KG", "GmbH & Co. KG", "Ltd", "S.A.", "B.V.", "SARL", "e.K.", "S.r.l.")

PURPOSES = (
    "invoice office supplies", "rent warehouse", "consulting services", "monthly retainer",
    "spare parts delivery", "annual licence fee", "maintenance contract", "advertising campaign",
    "freight charges", "cleaning service", "catering event", "training course", "membership fee",
    "insurance premium", "travel expenses", "electricity", "water and heating", "telephone bill",
    "leasing rate machine", "salary advance", "commission payout", "down payment order",
    "final payment project", "deposit refund", "legal advice", "audit services",
    "donation summer fund", "raw material delivery", "packaging order", "security service",
    "seminar booking", "translation work", "web hosting", "furniture order", "vehicle repair",
    "fuel cards", "toll charges", "laboratory analysis", "print order brochure",
    "garden maintenance", "waste disposal", "crane hire",
)  # fmt: skip
MONTHS = ("January", "February", "March", "April", "May", "June")

PLACEHOLDERS = ("NOTPROVIDED", "NONREF", "NOTPROVIDED", "NONREF", "N/A", "-", "0", "none", "EREF+NOTPROVIDED")
PREFIXES = ("SEPA CT", "SEPA-GUTSCHRIFT", "TRANSFER", "UEBERWEISUNG", "SCT INST", "CREDIT", "PAYMENT")
CODES = (
    "BGC", "TRF", "BIC COBADEXX", "SVWZ+", "ABWA+", "PURP OTHR", "UCI", "DATUM 00.00", "NR0",
    "/RMT/", "ZV0100", "EUR", "020 051", "NMSC", "TAN 000000", "KTO INTERN",
)  # fmt: skip
FEE_TEXTS = (
    "CHARGES", "FEE FOR PAYMENT", "GEBUEHR AUSLANDSZAHLUNG", "OUR CHARGES", "ENTGELT",
    "HANDLING FEE",
)  # fmt: skip
RETURN_TEXTS = ("RETURN AC04", "RETOURE KONTO ERLOSCHEN", "STORNO", "REVERSAL", "RETURNED PAYMENT MS03")
NOBODY_TEXTS = (
    "interest settlement", "account fee quarter", "unknown incoming payment", "card settlement",
    "refund tax office", "custody fee", "cash deposit branch", "direct debit",
    "correction entry",
)  # fmt: skip
