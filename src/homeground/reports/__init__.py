"""What is shown: the run folder as one page that can be sent to anybody.

    report.py       record -> sections -> report.html
    sections/       what each section shows, in a few files by subject
    templates/      one template a file of sections; every chart is drawn in charts.html
    task_pages.py   the words for each task
    charts.py       the charts, as numbers             bars.py  small drawings    colours.py  their colours
    model_card.py   the README.md of the adapted model
    terminal.py     scores as lines of text

Everything is read from the files of the run folder, so a report can be made again at any time, anywhere, without the
model. Jinja2 is imported here and nowhere else. Markup is made by the templates alone, with autoescaping: no Python
here builds HTML. A section appears where the record has its data; no code here asks which task it is.
"""
