using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;

namespace WebhookService.Api.Tests.Plugins;

/// <summary>A folder of plug-ins: the sample as it was built, and assemblies that no compiler would make.</summary>
internal sealed class APluginFolder : IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("plugins-");

    public string Path => folder.FullName;

    public APluginFolder WithSample(string? folderName = null, params string[] without)
    {
        var target = folder.CreateSubdirectory(folderName ?? "CsvHandlers");
        foreach (var file in new DirectoryInfo(Built.Of("samples/CsvHandlers")).EnumerateFiles().Where(file => !without.Contains(file.Name)))
            file.CopyTo(System.IO.Path.Combine(target.FullName, file.Name.Replace("CsvHandlers", target.Name, StringComparison.Ordinal)));
        return this;
    }

    public string FileOf(string name) => System.IO.Path.Combine(Path, name, name + ".dll");

    public APluginFolder With(string name, byte[] content)
    {
        folder.CreateSubdirectory(name);
        File.WriteAllBytes(FileOf(name), content);
        return this;
    }

    /// <summary>An assembly with one class, which implements a type of another assembly and calls a method of another.</summary>
    public APluginFolder WithAssembly(
        string name, (string Assembly, string Namespace, string Name)? implements = null, (string Assembly, string Namespace, string Type, string Method)? calls = null,
        (string Name, Version Version)? needs = null)
    {
        var metadata = new MetadataBuilder();
        metadata.AddModule(0, metadata.GetOrAddString(name + ".dll"), metadata.GetOrAddGuid(Guid.NewGuid()), default, default);
        metadata.AddAssembly(metadata.GetOrAddString(name), new Version(1, 0, 0, 0), default, default, default, AssemblyHashAlgorithm.None);
        metadata.AddTypeDefinition(TypeAttributes.NotPublic, default, metadata.GetOrAddString("<Module>"), default, MetadataTokens.FieldDefinitionHandle(1), MetadataTokens.MethodDefinitionHandle(1));
        var type = metadata.AddTypeDefinition(
            TypeAttributes.Public | TypeAttributes.Class, metadata.GetOrAddString("Odd"), metadata.GetOrAddString("Handler"),
            Type(typeof(object).Assembly.GetName().Name!, "System", "Object"), MetadataTokens.FieldDefinitionHandle(1), MetadataTokens.MethodDefinitionHandle(1));
        if (implements is var (assembly, @namespace, contract)) metadata.AddInterfaceImplementation(type, Type(assembly, @namespace, contract));
        if (calls is var (where, space, owner, method))
        {
            var signature = new BlobBuilder();
            new BlobEncoder(signature).MethodSignature().Parameters(0, result => result.Void(), _ => { });
            metadata.AddMemberReference(Type(where, space, owner), metadata.GetOrAddString(method), metadata.GetOrAddBlob(signature));
        }
        if (needs is var (wanted, version)) Reference(wanted, version);
        var image = new BlobBuilder();
        new ManagedPEBuilder(PEHeaderBuilder.CreateLibraryHeader(), new MetadataRootBuilder(metadata), new BlobBuilder()).Serialize(image);
        return With(name, image.ToArray());

        TypeReferenceHandle Type(string assembly, string @namespace, string name) =>
            metadata.AddTypeReference(Reference(assembly, new(1, 0, 0, 0)), metadata.GetOrAddString(@namespace), metadata.GetOrAddString(name));

        AssemblyReferenceHandle Reference(string assembly, Version version) =>
            metadata.AddAssemblyReference(metadata.GetOrAddString(assembly), version, default, default, default, default);
    }

    public void Dispose() => folder.Delete(recursive: true);
}
