"""What is shown: the run folder as one page that can be sent to somebody who has seen nothing else.

    record.py       the files of a run folder as one value
    report.py       THE STORY: record -> sections -> report.html
    sections/       one section a file: a record becomes the plain values that its template needs
    templates/      one small template a section; every chart is drawn in charts.html
    charts.py       the geometry and colours of the charts, as numbers
    model_card.py   the README.md of the adapted model
    glossary.py     every metric in plain words
    wording.py      numbers, counts and intervals as text

Everything is read from the files of the run folder, so a report can be made again at any time, anywhere, without the
model. This room may import data, run, metrics and errors; never training, evaluation or an engine. Jinja2 is imported
here and nowhere else. Markup is made by the templates alone, with autoescaping: no Python here builds HTML.
"""
