"""Words that names are made of. None of the companies or people is meant."""


def _words(text: str) -> list[str]:
    return text.split()


FIRST = _words(
    "Aisha Alejandro Amelia Anika Arjun Astrid Beatriz Bram Camille Carlos Chiara Chloe Daan Daniel Devika Diego Dmitri Elena "
    "Elif Emeka Emma Esteban Farah Felix Fiona Gabriel Grace Hana Harper Hassan Hiro Ibrahim Ingrid Isabel Ivan Jamal Jana "
    "Javier Jing Jonas Julia Kaito Karim Katya Keiko Kofi Lars Layla Leila Lena Liam Lucia Luca Magnus Malik Mara Marcus Maria "
    "Mateo Maya Mei Mila Mohan Nadia Naomi Nia Nikhil Nina Noah Nora Olga Oliver Omar Oscar Paula Pavel Priya Quentin Rafael "
    "Rania Ravi Rosa Ruth Sadia Samir Sana Sara Sofia Stefan Sven Tariq Tessa Theo Tomas Uma Valeria Victor Wanda Yara Yusuf Zoe"
)

LAST = _words(
    "Abebe Adeyemi Ahmed Almeida Andersson Baker Banerjee Barros Bauer Becker Bennett Berg Bianchi Brooks Carter Castillo Chen "
    "Choi Clarke Cohen Costa Cruz Dahl Desai Diaz Dubois Edwards Eriksen Evans Farah Ferrari Fischer Flores Fraser Garcia Ghosh "
    "Gomez Gupta Haddad Hansen Hayashi Hoffmann Hughes Ibarra Iyer Jansen Johansson Joshi Kaplan Kaur Keller Khan Kim Kowalski "
    "Kumar Larsen Laurent Lee Lopez Mahmoud Marino Martin Mbeki Mehta Meyer Mishra Moreau Morgan Murphy Nakamura Nguyen Novak "
    "Nwosu Okafor Olsen Ortiz Osman Park Patel Pereira Petrov Popov Quinn Rahman Ramos Reyes Richter Rossi Russo Sato Schmidt "
    "Sharma Silva Singh Sokolov Suzuki Tanaka Torres Vargas Virtanen Wagner Walker Watanabe Weber Yilmaz Zhang Zimmermann"
)

COMPANY = _words(
    "Alder Amber Anchor Apex Argon Aspen Atlas Aurora Basalt Beacon Birch Blue Boreal Bright Brook Café Cardinal Cedar Cinder "
    "Citadel Clear Cobalt Copper Coral Crest Delta Drift Eagle East Echo Elm Ember Falcon Fern Flint Forge Fox Glacier Global "
    "Golden Granite Green Gull Harbor Hawk Hazel Heron High Iron Ivory Jade Juniper Keystone Lakeside Lantern Laurel Linden "
    "Lumen Lunar Lynx Maple Meridian Mesa Mistral Moss Müller Nimbus North Nova Oak Ocean Onyx Opal Orchard Orion Osprey Pacific "
    "Peak Pine Pioneer Prairie Quartz Quill Raven Red Ridge River Rowan Sable Sage Sierra Silver Solar Sparrow Spruce Sterling "
    "Stone Summit Swift Tern Thistle Timber Topaz Trident Umbra Valley Vector Verde Vertex Vista Walnut West Willow Zephyr"
)

TRADE = _words(
    "Aerospace Analytics Automotive Bank Biotech Broadcasting Capital Chemicals Clinics Cloud Commerce Components Construction "
    "Dairy Data Design Devices Diagnostics Dynamics Education Electric Electronics Energy Engineering Fabrics Farms Filters "
    "Foods Freight Furniture Games Glass Health Hospitals Hotels Imaging Insurance Labs Lighting Logistics Machines Marine "
    "Materials Media Medical Metals Mobility Motors Networks Optics Packaging Paper Pharma Plastics Power Press Rail Renewables "
    "Retail Robotics Schools Security Semiconductors Shipping Software Sports Steel Studios Systems Telecom Textiles Tools Toys "
    "Trading Transit Travel Utilities Ventures Water Works"
)

CITIES = (
    ("Austin", "TX", "USA"), ("Berlin", "BE", "Germany"), ("Boston", "MA", "USA"), ("Chicago", "IL", "USA"),
    ("Dublin", "L", "Ireland"), ("London", "LND", "United Kingdom"), ("Madrid", "MD", "Spain"), ("Mumbai", "MH", "India"),
    ("New York", "NY", "USA"), ("Oslo", "OS", "Norway"), ("Paris", "IDF", "France"), ("San Francisco", "CA", "USA"),
    ("São Paulo", "SP", "Brazil"), ("Singapore", "SG", "Singapore"), ("Sydney", "NSW", "Australia"), ("Toronto", "ON", "Canada"),
)  # fmt: skip

REGIONS = ("North America", "EMEA", "APAC", "LATAM", "Public Sector", "Enterprise", "Mid-Market", "Channel")

JOB_TITLES = (
    "VP Operations",
    "CFO",
    "CIO",
    "Director of IT",
    "Head of Procurement",
    "Operations Manager",
    "Analyst",
    "CTO",
)

NEXT_STEPS = (
    "Confirm budget with finance",
    "Schedule the technical deep dive",
    'Send the "final" quote, then call',
    "Security review, legal to follow",
    "Agree the success criteria for the pilot",
    "Executive sponsor call",
    None,
)

DESCRIPTIONS = (
    None, None, None, None, None, None, None, None,
    'Asked for "unlimited" seats;\nwe offered a cap, reviewed yearly.',
    "Incumbent contract ends this quarter, price is the main concern.",
)  # fmt: skip

NOTES = (
    None, None, None, None, None, None, None, None, None, None, None,
    "Kick-off with the sponsor went well 🎉\nNext: the security questionnaire.\n\n– what about “data residency”?",
    "Champion changes jobs in spring; find a second one.",
)  # fmt: skip

TASK_SUBJECTS = (
    "Call",
    "Email: follow-up",
    "Send proposal",
    "Email: meeting notes",
    "Prepare quote",
    "Call: pricing, next steps",
)
EVENT_SUBJECTS = ("Discovery meeting", "Demo", "Pricing review", "Executive briefing", "Workshop: rollout")
