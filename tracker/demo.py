"""The tasks of the demo company: added in the mornings, mostly done by the evenings."""

import random
from datetime import datetime, timedelta

from common import chance
from tracker import actions, forms
from tracker.models import primary

TITLES = (
    "[SHOP-101] - Repair the receipt printer at till 3",
    "[SHOP-114] - Order new price labels for the winter sale",
    "[SHOP-127] - Count the stock in aisle 7",
    "[SHOP-131] - Write the sign for the closed entrance",
    "[WEB-204] - Compress the pictures on the landing page",
    "[WEB-219] - Find out why the newsletter form is slow",
    "[WEB-223] - Translate the returns page into Spanish",
    "[WEB-230] - Remove the banner of the summer campaign",
    "[OPS-17] - Renew the certificate of the mail server",
    "[OPS-23] - Restore last night's backup onto the test machine",
    "[OPS-31] - Replace the disk that reports errors",
    "[HR-8] - Prepare the first day of the new colleague",
    "[HR-12] - Book the room for the safety training",
    "[FIN-42] - Ask the landlord for the heating bill",
    "[FIN-47] - Match September's card payments",
    "Water the plants on the second floor",
    "Call back Mrs Ferreira about the broken chair",
    "Take the old monitors to the recycling yard",
    "Label the shelves in the new store room",
    "Photograph the spring collection",
    "Proofread the minutes of the works council",
    "Collect the parcels from the post office",
    "Check the fire extinguishers",
    "Tidy up the shared drive of the design team",
    "Rechnungen vom Oktober abheften",
    "Kühlschrank in der Teeküche abtauen",
    "Schlüsselliste für das Lager aktualisieren",
    "Préparer la salle de réunion pour jeudi",
    "Relire le contrat du nouveau fournisseur",
    "Vérifier l'étiquetage des allergènes",
    "Comprobar el inventario del almacén norte",
    "Actualizar los horarios de verano en la puerta",
    "Controllare le scadenze in dispensa",
    "Uporządkować zdjęcia z targów",
    "Обновить инструкцию для новой кофемашины",
    "Проверить адреса в списке рассылки",
    "Перекласти відповіді для клієнтів",
    "会議室の時計の電池を交換する",
    "取引先に見本を送る",
    "إعداد قائمة الموردين الجدد",
)
PEOPLE = "SELECT id FROM person WHERE is_active ORDER BY id"
HELD = "SELECT task_id, assignee_id FROM deal ORDER BY task_id"


def play(step: int, phase: str, moment: datetime) -> None:
    """Of one day: in the morning 20 to 30 tasks were added, by the evening most are done."""
    chosen = random.Random(step)
    if phase == "morning":
        add_some(chosen, moment)
    elif phase == "evening":
        complete_some(chosen, moment)


def add_some(chosen: random.Random, moment: datetime) -> None:
    people = [row["id"] for row in primary.rows(PEOPLE)]
    titles = chosen.sample(TITLES, chosen.randint(20, 30))
    for n, title in enumerate(titles):
        now = moment - timedelta(minutes=5 * (len(titles) - n))
        draft = forms.draft({"title": title})
        actions.add_task(draft, by=chosen.choice(people), now=now, seed=chance.new_seed())


def complete_some(chosen: random.Random, moment: datetime) -> None:
    held = primary.rows(HELD)
    last = {row["assignee_id"]: row["task_id"] for row in held}.values()  # is left to each to do
    rest = [row for row in held if row["task_id"] not in last]
    for row in chosen.sample(rest, len(rest) * 4 // 5):
        now = moment - timedelta(minutes=chosen.randrange(120))
        actions.complete_task(row["task_id"], by=row["assignee_id"], now=now)
