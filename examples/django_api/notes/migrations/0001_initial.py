import uuid

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    operations = (
        migrations.CreateModel(
            name="Note",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("owner", models.CharField(editable=False, max_length=255)),
                ("title", models.CharField(max_length=200)),
                ("body", models.TextField(blank=True, max_length=20_000)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={"indexes": [models.Index(fields=["owner", "-created_at"], name="notes_of_owner")]},
        ),
    )
