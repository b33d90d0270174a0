"""What a fresh portal contains: stages, pipelines, lists, currencies, people, the catalogue.

Called once by `World`. Invented firm, invented people.
"""

from app.sandbox.state.catalog import Catalog
from app.sandbox.state.dictionaries import Currency, Dictionaries, Pipeline
from app.sandbox.state.people import Department, People, User

_WORK, _WON, _LOST = "#39A8EF", "#7BD500", "#FF5752"

_LEAD_STAGES = (
    ("NEW", "Не обработан", None, True),
    ("IN_PROCESS", "В работе", None, False),
    ("PROCESSED", "Обработан", None, False),
    ("CONVERTED", "Качественный лид", "S", True),
    ("JUNK", "Некачественный лид", "F", False),
)
_DEAL_STAGES = (
    ("NEW", "Новая", None, True),
    ("PREPARATION", "Подготовка документов", None, False),
    ("PREPAYMENT_INVOICE", "Cчёт на предоплату", None, False),
    ("EXECUTING", "В работе", None, False),
    ("FINAL_INVOICE", "Финальный счёт", None, False),
    ("WON", "Сделка успешна", "S", True),
    ("LOSE", "Сделка провалена", "F", True),
    ("APOLOGY", "Анализ причины провала", "F", False),
)
_LISTS: dict[str, tuple[tuple[str, str], ...]] = {
    "SOURCE": (
        ("CALL", "Звонок"),
        ("EMAIL", "Электронная почта"),
        ("WEB", "Веб-сайт"),
        ("ADVERTISING", "Реклама"),
        ("PARTNER", "Существующий клиент"),
        ("RECOMMENDATION", "По рекомендации"),
        ("TRADE_SHOW", "Выставка"),
        ("WEBFORM", "CRM-форма"),
        ("CALLBACK", "Обратный звонок"),
        ("RC_GENERATOR", "Генератор продаж"),
        ("STORE", "Интернет-магазин"),
        ("OTHER", "Другое"),
    ),
    "INDUSTRY": (
        ("IT", "Информационные технологии"),
        ("TELECOM", "Телекоммуникации и связь"),
        ("MANUFACTURING", "Производство"),
        ("BANKING", "Банковские услуги"),
        ("CONSULTING", "Консалтинг"),
        ("FINANCE", "Финансы"),
        ("GOVERNMENT", "Правительство"),
        ("DELIVERY", "Доставка"),
        ("ENTERTAINMENT", "Развлечения"),
        ("NOTPROFIT", "Не для получения прибыли"),
        ("OTHER", "Другое"),
    ),
    "EMPLOYEES": (
        ("EMPLOYEES_1", "менее 50"),
        ("EMPLOYEES_2", "50-250"),
        ("EMPLOYEES_3", "250-500"),
        ("EMPLOYEES_4", "более 500"),
    ),
    "COMPANY_TYPE": (
        ("CUSTOMER", "Клиент"),
        ("SUPPLIER", "Поставщик"),
        ("COMPETITOR", "Конкурент"),
        ("PARTNER", "Партнёр"),
        ("OTHER", "Другое"),
    ),
    "CONTACT_TYPE": (("CLIENT", "Клиенты"), ("SUPPLIER", "Поставщики"), ("PARTNER", "Партнёры"), ("OTHER", "Другое")),
    "DEAL_TYPE": (("SALE", "Продажа"), ("COMPLEX", "Комплексная продажа"), ("SERVICE", "Обслуживание")),
    "HONORIFIC": (("HNR_RU_1", "г-н"), ("HNR_RU_2", "г-жа")),
    "CALL_LIST": (("IN_WORK", "В работе"), ("SUCCESS", "Успешно")),
}


def dictionaries() -> Dictionaries:
    made = Dictionaries()
    for code, name, semantics, system in _LEAD_STAGES:
        made.add_status("STATUS", code, name, semantics=semantics, color=_color(semantics), system=system)
    made.pipelines = [
        Pipeline(0, 2, "Общая", 100, True),
        Pipeline(1, 2, "Сервис и запчасти", 200, False),
        Pipeline(2, 31, "Счета", 100, True),
        Pipeline(3, 3, "Контакты", 100, True),
        Pipeline(4, 4, "Компании", 100, True),
    ]
    _deal_stages(made, 0)
    _deal_stages(made, 1)
    for code, name, semantics in (("DRAFT", "Новое", None), ("SENT", "Отправлено", None), ("APPROVED", "Принято", "S")):
        made.add_status("QUOTE_STATUS", code, name, semantics=semantics, color=_color(semantics), system=True)
    made.add_status("QUOTE_STATUS", "DECLAINED", "Отклонено", semantics="F", color=_LOST, system=True)
    for code, name, semantics in (
        ("N", "Новый", None),
        ("S", "Отправлен", None),
        ("P", "Оплачен", "S"),
        ("D", "Не оплачен", "F"),
    ):
        made.add_status("SMART_INVOICE_STAGE_2", f"DT31_2:{code}", name, semantics=semantics, category_id=2)
    for entity_id, rows in _LISTS.items():
        for code, name in rows:
            made.add_status(entity_id, code, name, system=True)
    made.currencies = [
        Currency("RUB", "1.0000", "1", 100, True, "Российский рубль", "# &#8381;"),
        Currency("USD", "78.5000", "1", 200, False, "Доллар США", "$#"),
        Currency("EUR", "90.2000", "1", 300, False, "Евро", "# &euro;"),
    ]
    return made


def _deal_stages(made: Dictionaries, category_id: int) -> None:
    prefix = f"C{category_id}:" if category_id else ""
    for code, name, semantics, system in _DEAL_STAGES:
        made.add_status(
            made.stage_list(2, category_id),
            prefix + code,
            name,
            semantics=semantics,
            color=_color(semantics),
            category_id=category_id or None,
            system=system,
            apology=code == "APOLOGY",
        )


def _color(semantics: str | None) -> str:
    return {None: _WORK, "S": _WON, "F": _LOST}[semantics]


def people() -> People:
    users = (
        (1, "Интеграция", "Огонь", 1, "Служебная запись"),
        (5, "Ирина", "Соколова", 1, "Генеральный директор"),
        (10, "Павел", "Орлов", 3, "Руководитель отдела продаж"),
        (12, "Мария", "Лебедева", 3, "Менеджер по продажам"),
        (13, "Алексей", "Кузнецов", 3, "Менеджер по продажам"),
        (14, "Ольга", "Морозова", 3, "Менеджер по продажам"),
        (20, "Дмитрий", "Волков", 4, "Руководитель первой линии"),
        (21, "Анна", "Зайцева", 4, "Оператор первой линии"),
        (22, "Сергей", "Новиков", 4, "Оператор первой линии"),
    )
    return People(
        users={
            key: User(id=key, name=name, last_name=last, department=dept, position=post)
            for key, name, last, dept, post in users
        },
        departments={
            1: Department(1, "Завод-поставщик", None, 5),
            3: Department(3, "Отдел продаж", 1, 10),
            4: Department(4, "Первая линия", 1, 20),
        },
        admins={1, 5},
    )


_PRODUCTS: dict[int, tuple[str, tuple[tuple[str, int], ...]]] = {
    13: (
        "Паровые котлы",
        tuple((f"Паровой котёл КП-{rate}", rate * 1_450_000) for rate in (1, 2, 4, 6, 10, 16, 25)),
    ),
    14: (
        "Водогрейные котлы",
        tuple((f"Водогрейный котёл КВ-{power} МВт", power * 900_000) for power in (1, 2, 4, 8, 12)),
    ),
    15: (
        "Горелки и автоматика",
        (
            ("Горелка газовая ГБ-2,0", 480_000),
            ("Горелка комбинированная ГК-4,5", 1_150_000),
            ("Шкаф автоматики котла ША-1", 310_000),
            ("Частотный привод дымососа", 195_000),
        ),
    ),
    16: (
        "Вспомогательное оборудование",
        (
            ("Деаэратор ДА-15", 780_000),
            ("Экономайзер чугунный ЭБ-2", 1_320_000),
            ("Установка водоподготовки ВПУ-5", 640_000),
            ("Насос питательный ПЭ-10", 265_000),
            ("Дымосос ДН-9", 215_000),
            ("Сепаратор пара СП-3", 88_000),
            ("Конденсатоотводчик поплавковый", 24_000),
        ),
    ),
    17: (
        "Запасные части и услуги",
        (
            ("Комплект прокладок котла", 9_500),
            ("Трубы конвективного пучка, комплект", 410_000),
            ("Шеф-монтаж", 250_000),
            ("Пусконаладка котельной", 360_000),
            ("Режимная наладка", 180_000),
            ("Техническое обследование котла", 120_000),
        ),
    ),
}


def catalog() -> Catalog:
    made = Catalog()
    number = 100
    for section_id, (name, products) in _PRODUCTS.items():
        made.sections[section_id] = name
        for title, price in products:
            made.add(number, title, section_id, price)
            number += 1
    return made
