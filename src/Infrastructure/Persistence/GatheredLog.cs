using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace WebhookService.Infrastructure.Persistence;

/// <summary>
/// SQLite's way to its files (a VFS), with one thing changed: what a transaction appends to the write-ahead log is gathered and goes into the file with one
/// call. SQLite itself writes each page with two, of 24 and 4,096 bytes, for which the kernel takes several times as long (decision 0016).
/// </summary>
/// <remarks>
/// The last page of a transaction is marked in its header (https://sqlite.org/fileformat2.html#walformat). With it all is written, before SQLite syncs the
/// log and others hear of the commit; until then nobody but the connection itself looks for these pages, and what it looks at is written first. What is not
/// in the file when the process dies was not committed.
/// </remarks>
internal static unsafe class GatheredLog
{
    /// <summary>For `Vfs` of a connection string, once <see cref="Register"/> was called.</summary>
    public const string Name = "gathered-log";

    /// <summary>Bytes: the most that SQLite's VFS for Unix takes at once (it looks at 17 bits of the count). Larger transactions are written in pieces.</summary>
    private const int Capacity = (128 * 1024) - 1;

    /// <summary>Bytes before each page in the log. If those from the fifth on say a size of the database, its page is the last of a transaction.</summary>
    private const int PageHeader = 24;

    // From sqlite3.h.
    private const int Ok = 0;
    private const int OutOfMemory = 7;
    private const int OpensLog = 0x0008_0000;

    private static Vfs* usual;
    private static SqliteFile.Operations* methods;

    /// <summary>To be called once, after SQLite was configured.</summary>
    public static void Register()
    {
        usual = sqlite3_vfs_find(null);
        methods = (SqliteFile.Operations*)NativeMemory.Alloc((nuint)sizeof(SqliteFile.Operations));
        *methods = new SqliteFile.Operations
        {
            Version = 1, // a log has neither shared memory nor mapped pages
            Close = &Close,
            Read = &Read,
            Write = &Write,
            Truncate = &Truncate,
            Sync = &Sync,
            Size = &Size,
            Lock = &Lock,
            Unlock = &Unlock,
            IsReserved = &IsReserved,
            Control = &Control,
            SectorSize = &SectorSize,
            Traits = &Traits,
        };
        var own = (Vfs*)NativeMemory.Alloc((nuint)sizeof(Vfs));
        *own = *usual; // its other functions don't depend on name or identity of what they belong to
        own->Name = (byte*)Marshal.StringToCoTaskMemUTF8(Name);
        own->FileSize += sizeof(Log);
        own->Open = &Open;
        var result = sqlite3_vfs_register(own, 0);
        if (result != Ok) throw new InvalidOperationException($"SQLite does not take the VFS {Name}: error {result}.");
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Open(Vfs* own, byte* path, SqliteFile* file, int flags, int* opened)
    {
        if ((flags & OpensLog) == 0) return usual->Open(usual, path, file, flags, opened);

        var log = (Log*)file;
        *log = default; // a file without methods is one that is not open
        Inner(file)->Methods = null;
        var pages = (byte*)sqlite3_malloc(Capacity);
        if (pages is null) return OutOfMemory;
        var result = usual->Open(usual, path, Inner(file), flags, opened);
        if (Inner(file)->Methods is null) sqlite3_free(pages);
        else
        {
            log->File.Methods = methods; // SQLite closes it then, even if opening it failed
            log->Pages = pages;
        }
        return result;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Close(SqliteFile* file)
    {
        var put = Put(file);
        sqlite3_free(((Log*)file)->Pages);
        var closed = Inner(file)->Methods->Close(Inner(file));
        return put == Ok ? closed : put;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Read(SqliteFile* file, byte* into, int count, long offset) =>
        Put(file) is var put && put == Ok ? Inner(file)->Methods->Read(Inner(file), into, count, offset) : put;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Write(SqliteFile* file, byte* from, int count, long offset)
    {
        var log = (Log*)file;
        var isLast = log->IsLast;
        log->IsLast = count == PageHeader && *(int*)(from + 4) != 0;
        if (offset == 0) log->End = 0; // the log begins anew
        var appends = offset >= log->End && count <= Capacity;
        if (!appends || offset != log->Offset + log->Count || log->Count + count > Capacity)
        {
            var put = Put(file, orForget: true);
            if (put != Ok) return put;
            log->Offset = offset;
        }
        if (!appends) return Inner(file)->Methods->Write(Inner(file), from, count, offset);

        Buffer.MemoryCopy(from, log->Pages + log->Count, Capacity - log->Count, count);
        log->Count += count;
        log->End = offset + count;
        return isLast ? Put(file, orForget: true) : Ok;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Truncate(SqliteFile* file, long size) => Put(file) is var put && put == Ok ? Inner(file)->Methods->Truncate(Inner(file), size) : put;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Sync(SqliteFile* file, int flags) => Put(file, orForget: true) is var put && put == Ok ? Inner(file)->Methods->Sync(Inner(file), flags) : put;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Size(SqliteFile* file, long* size) => Put(file) is var put && put == Ok ? Inner(file)->Methods->Size(Inner(file), size) : put;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Lock(SqliteFile* file, int level) => Inner(file)->Methods->Lock(Inner(file), level);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Unlock(SqliteFile* file, int level) => Inner(file)->Methods->Unlock(Inner(file), level);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int IsReserved(SqliteFile* file, int* isReserved) => Inner(file)->Methods->IsReserved(Inner(file), isReserved);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Control(SqliteFile* file, int operation, void* argument) => Inner(file)->Methods->Control(Inner(file), operation, argument);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int SectorSize(SqliteFile* file) => Inner(file)->Methods->SectorSize(Inner(file));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Traits(SqliteFile* file) => Inner(file)->Methods->Traits(Inner(file));

    /// <summary>
    /// Writes what was gathered. Where that fails in a write or a sync, SQLite takes the transaction back, and what was gathered is forgotten. Elsewhere it
    /// stays, so that no commit gets past it.
    /// </summary>
    private static int Put(SqliteFile* file, bool orForget = false)
    {
        var log = (Log*)file;
        if (log->Count == 0) return Ok;

        var put = Inner(file)->Methods->Write(Inner(file), log->Pages, log->Count, log->Offset);
        if (put != Ok && orForget) log->End = log->Offset;
        if (put == Ok || orForget) log->Count = 0;
        return put;
    }

    /// <summary>The log as the usual VFS opened it, which lies behind our part of it.</summary>
    private static SqliteFile* Inner(SqliteFile* file) => (SqliteFile*)((Log*)file + 1);

    [DllImport(SqliteBinding.Library)]
    private static extern Vfs* sqlite3_vfs_find(byte* name);

    [DllImport(SqliteBinding.Library)]
    private static extern int sqlite3_vfs_register(Vfs* vfs, int isDefault);

    [DllImport(SqliteBinding.Library)]
    private static extern void* sqlite3_malloc(int bytes);

    [DllImport(SqliteBinding.Library)]
    private static extern void sqlite3_free(void* memory);

    /// <summary>What a log that we opened begins with.</summary>
    private struct Log
    {
        public SqliteFile File;
        public byte* Pages;

        /// <summary>Where in the file the first of the gathered bytes belongs.</summary>
        public long Offset;

        /// <summary>Bytes gathered.</summary>
        public int Count;

        /// <summary>The page that comes next is the last of its transaction.</summary>
        public bool IsLast;

        /// <summary>Where the log has been written to since it began.</summary>
        public long End;
    }

#pragma warning disable CS0649 // SQLite gives most of them their values

    /// <summary>`sqlite3_vfs`, version 3.</summary>
    private struct Vfs
    {
        public int Version;
        public int FileSize;
        public int LongestPath;
        public Vfs* Next;
        public byte* Name;
        public void* Data;
        public delegate* unmanaged[Cdecl]<Vfs*, byte*, SqliteFile*, int, int*, int> Open;
        public Others Functions;
    }

    /// <summary>Those that stay as they are.</summary>
    [InlineArray(15)]
    private struct Others
    {
        public nint First;
    }
}
