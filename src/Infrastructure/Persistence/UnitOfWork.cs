using Microsoft.Data.Sqlite;

namespace WebhookService.Infrastructure.Persistence;

/// <summary>A repository as the transaction sees it.</summary>
internal interface IUnitOfWorkPart
{
    /// <summary>Writes what was saved since the last flush.</summary>
    void Flush();

    /// <summary>Drops what is remembered, saved or not: the database may hold something else.</summary>
    void Forget();

    /// <summary>The transaction is on disk; memory may be trimmed.</summary>
    void Committed();

    /// <summary>All parts know that the transaction is on disk: now others may hear of it.</summary>
    void Tell() { }

    /// <summary>The database was opened, or changed by somebody else: what is remembered of committed rows is read anew.</summary>
    void Opened() { }
}

/// <summary>
/// The writer's transaction and the repositories that take part in it. There is one writer, so there is one of it; only the writer's thread
/// may touch it and them. Repositories keep aggregates across transactions, which is safe while nobody else writes the file; when
/// somebody did, they forget.
/// </summary>
internal sealed class UnitOfWork
{
    private readonly Database database;
    private readonly Checkpoints checkpoints;
    private readonly List<IUnitOfWorkPart> parts = [];
    private readonly List<Statement> statements = [];
    private readonly Lazy<Statement> begin;
    private readonly Lazy<Statement> commit;
    private readonly Lazy<Statement> othersChanges;
    private SqliteConnection? connection;
    private long? dataVersion;

    public UnitOfWork(Database database, Checkpoints checkpoints)
    {
        (this.database, this.checkpoints) = (database, checkpoints);
        begin = Prepare("BEGIN IMMEDIATE");
        commit = Prepare("COMMIT");
        othersChanges = Prepare("PRAGMA data_version");
    }

    public SqliteConnection Connection => connection ?? throw new InvalidOperationException("The database is not open yet: the writer opens it when the service starts.");

    /// <summary>Opens the database and brings it to the present schema.</summary>
    public void Open()
    {
        try
        {
            connection = database.OpenForWriting();
            Migrator.Migrate(connection);
            checkpoints.Watch(connection);
            dataVersion = othersChanges.Value.Number(); // before anything is read: what others change from now on is noticed
            foreach (var part in parts) part.Opened();
        }
        catch (SqliteException failed)
        {
            throw new DatabaseUnusableException($"The database '{database.Path}' cannot be used ({failed.Message}). {Database.Choose}", failed);
        }
    }

    /// <summary>Takes a repository in. Parts are flushed in the order in which they came.</summary>
    public void Enlist(IUnitOfWorkPart part) => parts.Add(part);

    /// <summary>A statement that lives as long as the connection; prepared when it is first used.</summary>
    public Lazy<Statement> Prepare(string sql) => new(
        () =>
        {
            var statement = new Statement(Connection, sql);
            statements.Add(statement);
            return statement;
        },
        LazyThreadSafetyMode.PublicationOnly); // which, unlike the others, does not keep a failure for ever

    public void Begin()
    {
        begin.Value.Run();
        var version = othersChanges.Value.Number();
        if (version != dataVersion)
        {
            Forget();
            foreach (var part in parts) part.Opened();
        }
        dataVersion = version;
    }

    public void Flush()
    {
        foreach (var part in parts) part.Flush();
    }

    public void Commit()
    {
        Flush();
        commit.Value.Run();
        foreach (var part in parts) part.Committed();
        foreach (var part in parts) part.Tell();
    }

    /// <summary>Upkeep between two transactions.</summary>
    public void KeepLogShort() => checkpoints.Between(Connection);

    public void Rollback()
    {
        Forget();
        if (SQLitePCL.raw.sqlite3_get_autocommit(Connection.Handle) == 0) Execute("ROLLBACK");
    }

    /// <summary>A point to which <see cref="BackToSavepoint"/> returns; needs everything before it flushed.</summary>
    public void Savepoint() => Execute("SAVEPOINT alone");

    public void BackToSavepoint()
    {
        Forget();
        Execute("ROLLBACK TO alone; RELEASE alone");
    }

    public void ReleaseSavepoint() => Execute("RELEASE alone");

    /// <summary>For the writer's thread, not for who disposes of services: a statement that is freed while it runs takes the process with it.</summary>
    public void Close()
    {
        checkpoints.End();
        foreach (var statement in statements) statement.Dispose();
        connection?.Dispose();
        connection = null;
    }

    /// <summary>Makes every part read anew. What was saved must have been flushed, or it is dropped.</summary>
    public void Forget()
    {
        foreach (var statement in statements) statement.Reset();
        foreach (var part in parts) part.Forget();
    }

    private void Execute(string sql)
    {
        using var command = Connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
